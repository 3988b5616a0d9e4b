#include "cli/user_flags.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/text.h"

namespace fermata::cli {
namespace {

// podman's: CONTAINER:HOST[:SIZE]
Result<std::vector<oci::IdMapping>> mappings(const Flags& flags, std::span<const FlagSpec> specs,
                                             std::string_view flag) {
  std::vector<oci::IdMapping> list;
  for (const std::string& text : flags.list(flag)) {
    std::array<std::uint32_t, 3> numbers = {0, 0, 1};
    const auto fields = split(text, ':');
    bool valid = fields.size() == 2 || fields.size() == 3;
    for (std::size_t i = 0; valid && i < fields.size(); ++i) {
      const auto number = parse_unsigned(fields[i]);
      valid = number && *number <= std::numeric_limits<std::uint32_t>::max();
      if (valid) numbers[i] = static_cast<std::uint32_t>(*number);
    }
    if (!valid) return invalid_flag_value(specs, flag, text, "must be CONTAINER:HOST:SIZE, three numbers");
    list.push_back({numbers[0], numbers[1], numbers[2]});
  }
  return list;
}

}  // namespace

Result<void> user_namespace_flags(const Flags& flags, std::span<const FlagSpec> specs,
                                  pod::ContainerConfig* config) {
  const std::string mode = flags.text("userns");
  const bool mapped = flags.has("uidmap") || flags.has("gidmap");
  if (mode == "auto" || (mode == "private" && !mapped)) {
    if (mapped)
      return fail(ErrorKind::invalid_argument,
                  "conflicting options: --userns={} chooses what --uidmap and --gidmap say", mode);
    config->own_users = true;
    return {};
  }
  if (!mode.empty() && mode != "host" && mode != "private")
    return invalid_flag_value(
        specs, "userns", mode,
        "there are 'host', 'auto' (ids that nobody else has) and 'private' (those of --uidmap and --gidmap)");
  if (!mapped) return {};
  if (mode == "host")
    return fail(ErrorKind::invalid_argument,
                "conflicting options: --userns=host has no --uidmap or --gidmap");
  pod::UserNamespace wanted;
  TRY(wanted.uids, mappings(flags, specs, "uidmap"));
  TRY(wanted.gids, mappings(flags, specs, "gidmap"));
  // As podman has it: what is not said is as the other.
  if (wanted.uids.empty()) wanted.uids = wanted.gids;
  if (wanted.gids.empty()) wanted.gids = wanted.uids;
  config->user_namespace = std::move(wanted);
  return {};
}

}  // namespace fermata::cli
