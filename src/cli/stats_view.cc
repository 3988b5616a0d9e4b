#include "cli/stats_view.h"

#include <fmt/format.h>

#include <array>

#include "base/id.h"
#include "base/text.h"

namespace fermata::cli {
namespace {

std::string percentage(double share) { return fmt::format("{:.2f}%", share * 100); }

std::string pair_of(const std::string& one, const std::string& other) {
  return fmt::format("{} / {}", one, other);
}

std::string cpu_share(const pod::ContainerStats& before, const pod::ContainerStats& now) {
  if (!now.running) return percentage(0);
  const auto& old = before.group.cpu;
  const auto& cpu = now.group.cpu;
  const std::int64_t time = now.time - before.time;
  if (!cpu || !old || !before.running || time <= 0) return "--";
  // It has been started anew in between.
  if (cpu->usage < old->usage) return "--";
  return percentage(static_cast<double>(cpu->usage - old->usage) / static_cast<double>(time));
}

std::uint64_t total(const std::vector<kernel::BlockEntry>& entries, std::string_view operation) {
  std::uint64_t sum = 0;
  for (const kernel::BlockEntry& entry : entries)
    if (entry.operation == operation) sum += entry.value;
  return sum;
}

}  // namespace

std::string binary_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g}{}", value, kUnits[unit]);
}

Value stats_row(const std::string& asked, const pod::ContainerStats& before, const pod::ContainerStats& now,
                bool truncate) {
  const auto& memory = now.group.memory;
  const std::uint64_t used = memory ? memory->working_set : 0;
  std::uint64_t received = 0, sent = 0;
  for (const auto& one : now.interfaces) {
    received += one.rx_bytes;
    sent += one.tx_bytes;
  }
  const auto blocks = now.group.block ? now.group.block->service_bytes : std::vector<kernel::BlockEntry>();
  const double share =
      now.memory_limit == 0 ? 0 : static_cast<double>(used) / static_cast<double>(now.memory_limit);
  return Value::object({
      {"BlockIO", pair_of(human_size(total(blocks, "Read")), human_size(total(blocks, "Write")))},
      {"CPUPerc", cpu_share(before, now)},
      {"Container", asked},
      {"ID", truncate ? short_id(now.id) : now.id},
      {"MemPerc", percentage(share)},
      {"MemUsage", pair_of(binary_size(used), binary_size(now.memory_limit))},
      {"Name", now.name},
      {"NetIO", pair_of(human_size(received), human_size(sent))},
      {"PIDs", fmt::format("{}", now.group.pids ? now.group.pids->current : 0)},
  });
}

}  // namespace fermata::cli
