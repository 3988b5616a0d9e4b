#include "cli/resource_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/text.h"

namespace fermata::cli {
namespace {

class ResourceReader {
 public:
  ResourceReader(const Flags& flags, std::span<const FlagSpec> specs) : flags_(flags), specs_(specs) {}

  Result<pod::Resources> read() const {
    pod::Resources limits;
    TRY(memory(limits));
    TRY(cpu(limits));
    if (flags_.has("cpuset-cpus")) limits.cpuset_cpus = flags_.text("cpuset-cpus");
    if (flags_.has("cpuset-mems")) limits.cpuset_mems = flags_.text("cpuset-mems");
    if (const auto pids = flags_.integer("pids-limit"); pids && *pids != 0)
      limits.pids_limit = std::max<std::int64_t>(*pids, -1);
    TRY(limits.blkio_weight, positive<std::uint16_t>("blkio-weight"));
    return limits;
  }

 private:
  tl::unexpected<Error> bad(std::string_view flag, std::string_view why) const {
    return invalid_flag_value(specs_, flag, flags_.text(flag), why);
  }

  Result<std::optional<std::uint64_t>> bytes(std::string_view flag) const {
    if (!flags_.has(flag)) return std::nullopt;
    const std::string text = flags_.text(flag);
    const auto value = parse_size(text);
    if (!value) return bad(flag, fmt::format("invalid size: '{}'", text));
    return *value == 0 ? std::nullopt : value;
  }

  template <class T>
  Result<std::optional<T>> positive(std::string_view flag) const {
    const auto value = flags_.integer(flag);
    if (!value || *value == 0) return std::nullopt;
    if (*value < 0) return bad(flag, "must not be negative");
    if (static_cast<std::uint64_t>(*value) > std::numeric_limits<T>::max()) return bad(flag, "too large");
    return static_cast<T>(*value);
  }

  Result<void> memory(pod::Resources& limits) const {
    TRY(limits.memory, bytes("memory"));
    TRY(limits.memory_reservation, bytes("memory-reservation"));
    if (flags_.text("memory-swap") == "-1") {
      limits.memory_swap = -1;
      return {};
    }
    TRY(const auto swap, bytes("memory-swap"));
    if (swap) limits.memory_swap = static_cast<std::int64_t>(*swap);
    return {};
  }

  Result<void> cpu(pod::Resources& limits) const {
    if (flags_.has("cpus")) {
      const std::string text = flags_.text("cpus");
      double value = 0;
      const auto [end, failed] =
          std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
      if (failed != std::errc() || end != text.data() + text.size() || !(value >= 0) || value > 100000)
        return bad("cpus", fmt::format("failed to parse {} as a rational number", text));
      if (value > 0) limits.cpus = value;
    }
    TRY(limits.cpu_shares, positive<std::uint64_t>("cpu-shares"));
    TRY(limits.cpu_period, positive<std::uint64_t>("cpu-period"));
    // Less than 0 takes a quota away.
    if (const auto quota = flags_.integer("cpu-quota"); quota && *quota != 0)
      limits.cpu_quota = std::max<std::int64_t>(*quota, -1);
    return {};
  }

  const Flags& flags_;
  std::span<const FlagSpec> specs_;
};

}  // namespace

Result<pod::Resources> resource_flags(const Flags& flags, std::span<const FlagSpec> specs) {
  return ResourceReader(flags, specs).read();
}

}  // namespace fermata::cli
