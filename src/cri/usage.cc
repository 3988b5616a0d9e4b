#include "cri/usage.h"

#include <algorithm>

namespace fermata::cri {
namespace {

constexpr std::uint64_t kNanoseconds = 1000;  // in a microsecond

void put_line(const kernel::PressureLine& line, v1::PsiData& data) {
  data.set_total(line.total * kNanoseconds);
  data.set_avg10(line.average_10);
  data.set_avg60(line.average_60);
  data.set_avg300(line.average_300);
}

template <class Usage>
void put_pressure(const std::optional<kernel::Pressure>& pressure, Usage& usage) {
  if (!pressure) return;
  put_line(pressure->full, *usage.mutable_psi()->mutable_full());
  put_line(pressure->some, *usage.mutable_psi()->mutable_some());
}

std::uint64_t above(std::uint64_t limit, std::uint64_t used) { return limit > used ? limit - used : 0; }

v1::NetworkInterfaceUsage interface_usage(const kernel::InterfaceCounters& counters) {
  v1::NetworkInterfaceUsage usage;
  usage.set_name(counters.name);
  usage.mutable_rx_bytes()->set_value(counters.rx_bytes);
  usage.mutable_rx_errors()->set_value(counters.rx_errors);
  usage.mutable_tx_bytes()->set_value(counters.tx_bytes);
  usage.mutable_tx_errors()->set_value(counters.tx_errors);
  return usage;
}

}  // namespace

std::uint64_t memory_figure(const kernel::MemoryStats& memory, const std::string& name) {
  auto found = memory.raw.find("total_" + name);
  if (found == memory.raw.end()) found = memory.raw.find(name);
  return found == memory.raw.end() ? 0 : found->second;
}

std::uint64_t resident_memory(const kernel::MemoryStats& memory) {
  return memory.raw.contains("anon") ? memory_figure(memory, "anon") : memory_figure(memory, "rss");
}

v1::CpuUsage cpu_usage(const kernel::CgroupStats& group, std::int64_t time,
                       std::optional<std::uint64_t> rate) {
  v1::CpuUsage usage;
  usage.set_timestamp(time);
  if (group.cpu) usage.mutable_usage_core_nano_seconds()->set_value(group.cpu->usage);
  if (rate) usage.mutable_usage_nano_cores()->set_value(*rate);
  put_pressure(group.cpu_pressure, usage);
  return usage;
}

v1::MemoryUsage memory_usage(const pod::ContainerStats& stats, std::int64_t time) {
  v1::MemoryUsage usage;
  usage.set_timestamp(time);
  put_pressure(stats.group.memory_pressure, usage);
  if (!stats.group.memory) return usage;
  const kernel::MemoryStats& memory = *stats.group.memory;
  usage.mutable_working_set_bytes()->set_value(memory.working_set);
  // Of the machine's, where it has no limit of its own.
  usage.mutable_available_bytes()->set_value(above(stats.memory_limit, memory.working_set));
  usage.mutable_usage_bytes()->set_value(memory.memory.usage);
  usage.mutable_rss_bytes()->set_value(resident_memory(memory));
  usage.mutable_page_faults()->set_value(memory_figure(memory, "pgfault"));
  usage.mutable_major_page_faults()->set_value(memory_figure(memory, "pgmajfault"));
  return usage;
}

v1::SwapUsage swap_usage(const kernel::CgroupStats& group, std::int64_t time) {
  v1::SwapUsage usage;
  usage.set_timestamp(time);
  if (!group.memory || !group.memory->swap) return usage;
  const kernel::MemoryStats& memory = *group.memory;
  usage.mutable_swap_usage_bytes()->set_value(*memory.swap);
  const auto& both = memory.memory_and_swap;
  if (both && both->limit && memory.memory.limit && *both->limit != kernel::kNoLimit)
    usage.mutable_swap_available_bytes()->set_value(
        above(above(*both->limit, *memory.memory.limit), *memory.swap));
  return usage;
}

v1::IoUsage io_usage(const kernel::CgroupStats& group, std::int64_t time) {
  v1::IoUsage usage;
  usage.set_timestamp(time);
  put_pressure(group.io_pressure, usage);
  return usage;
}

std::optional<v1::NetworkUsage> network_usage(const std::vector<kernel::InterfaceCounters>& interfaces,
                                              std::int64_t time) {
  if (interfaces.empty()) return std::nullopt;
  v1::NetworkUsage usage;
  usage.set_timestamp(time);
  auto first = std::find_if(interfaces.begin(), interfaces.end(),
                            [](const auto& counters) { return counters.name == "eth0"; });
  if (first == interfaces.end()) first = interfaces.begin();
  for (auto counters = interfaces.begin(); counters != interfaces.end(); ++counters)
    (counters == first ? *usage.mutable_default_interface() : *usage.add_interfaces()) =
        interface_usage(*counters);
  return usage;
}

v1::FilesystemUsage layer_usage(const pod::TreeUsage& written, const std::string& store, std::int64_t time) {
  v1::FilesystemUsage usage;
  usage.set_timestamp(time);
  usage.mutable_fs_id()->set_mountpoint(store);
  usage.mutable_used_bytes()->set_value(written.bytes);
  usage.mutable_inodes_used()->set_value(written.inodes);
  return usage;
}

}  // namespace fermata::cri
