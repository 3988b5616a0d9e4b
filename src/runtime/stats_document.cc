#include "runtime/stats_document.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace fermata::runtime {
namespace {

// Fields in the order in which they are written.
using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxCpus = 1 << 16;

// Readers take a missing number for zero, and the document has always left zeros out, but for a few fields.
void put_unless_zero(Json& object, const char* key, std::optional<std::uint64_t> value) {
  if (value.value_or(0) != 0) object[key] = *value;
}

Json to_json(const kernel::PressureLine& line) {
  return {{"avg10", line.average_10},
          {"avg60", line.average_60},
          {"avg300", line.average_300},
          {"total", line.total}};
}

void put_pressure(Json& object, const std::optional<kernel::Pressure>& pressure) {
  if (pressure) object["psi"] = {{"some", to_json(pressure->some)}, {"full", to_json(pressure->full)}};
}

Json cpu_to_json(const kernel::CgroupStats& stats) {
  const kernel::CpuStats cpu = stats.cpu.value_or(kernel::CpuStats{});
  Json usage = Json::object(), throttling = Json::object();
  put_unless_zero(usage, "total", cpu.usage);
  if (!cpu.per_cpu.empty()) {
    usage["percpu"] = cpu.per_cpu;
    usage["percpu_kernel"] = cpu.per_cpu_system;
    usage["percpu_user"] = cpu.per_cpu_user;
  }
  usage["kernel"] = cpu.system.value_or(0);
  usage["user"] = cpu.user.value_or(0);
  put_unless_zero(throttling, "periods", cpu.periods);
  put_unless_zero(throttling, "throttledPeriods", cpu.throttled_periods);
  put_unless_zero(throttling, "throttledTime", cpu.throttled_time);
  Json object = {{"usage", usage}, {"throttling", throttling}};
  put_pressure(object, stats.cpu_pressure);
  return object;
}

// "0-2,7" -> [0,1,2,7]
Json expand_list(const std::string& list) {
  Json numbers = Json::array();
  for (const auto range : split(list, ',')) {
    const auto pair = split_once(range, '-');
    const auto first = parse_unsigned(pair ? pair->first : range);
    const auto last = pair ? parse_unsigned(pair->second) : first;
    if (!first || !last || *last >= kMaxCpus) continue;
    for (std::uint64_t number = *first; number <= *last; ++number) numbers.push_back(number);
  }
  return numbers;
}

Json cpuset_to_json(const kernel::CpusetStats& cpuset) {
  Json object = Json::object();
  const auto flag = [&](const char* name) {
    const auto found = cpuset.flags.find(name);
    object[name] = found == cpuset.flags.end() ? 0 : found->second;
  };
  if (const Json cpus = expand_list(cpuset.cpus); !cpus.empty()) object["cpus"] = cpus;
  flag("cpu_exclusive");
  if (const Json mems = expand_list(cpuset.mems); !mems.empty()) object["mems"] = mems;
  for (const char* name :
       {"mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
        "memory_pressure", "sched_load_balance", "sched_relax_domain_level"})
    flag(name);
  return object;
}

Json to_json(const std::optional<kernel::MemoryCounter>& counter) {
  const kernel::MemoryCounter value = counter.value_or(kernel::MemoryCounter{});
  Json object = {{"limit", value.limit.value_or(0)}};
  put_unless_zero(object, "usage", value.usage);
  put_unless_zero(object, "max", value.peak);
  object["failcnt"] = value.failures.value_or(0);
  return object;
}

Json memory_to_json(const kernel::CgroupStats& stats) {
  const kernel::MemoryStats memory = stats.memory.value_or(kernel::MemoryStats{});
  Json object = Json::object();
  put_unless_zero(object, "cache", memory.cache);
  object["usage"] = to_json(std::optional(memory.memory));
  object["swap"] = to_json(memory.memory_and_swap);
  object["kernel"] = to_json(memory.kernel);
  object["kernelTCP"] = to_json(memory.kernel_tcp);
  if (!memory.raw.empty()) object["raw"] = memory.raw;
  put_pressure(object, stats.memory_pressure);
  return object;
}

Json block_to_json(const kernel::CgroupStats& stats) {
  const kernel::BlockStats block = stats.block.value_or(kernel::BlockStats{});
  Json object = Json::object();
  const auto put = [&](const char* key, const std::vector<kernel::BlockEntry>& entries) {
    for (const auto& entry : entries) {
      Json item = Json::object();
      put_unless_zero(item, "major", entry.major);
      put_unless_zero(item, "minor", entry.minor);
      if (!entry.operation.empty()) item["op"] = entry.operation;
      put_unless_zero(item, "value", entry.value);
      object[key].push_back(std::move(item));
    }
  };
  put("ioServiceBytesRecursive", block.service_bytes);
  put("ioServicedRecursive", block.serviced);
  put("ioQueueRecursive", block.queued);
  put("ioServiceTimeRecursive", block.service_time);
  put("ioWaitTimeRecursive", block.wait_time);
  put("ioMergedRecursive", block.merged);
  put("ioTimeRecursive", block.time);
  put("sectorsRecursive", block.sectors);
  put_pressure(object, stats.io_pressure);
  return object;
}

Json hugepages_to_json(const std::map<std::string, kernel::HugepageStats>& all) {
  Json object = Json::object();
  for (const auto& [size, stats] : all) {
    Json item = Json::object();
    put_unless_zero(item, "usage", stats.usage);
    put_unless_zero(item, "max", stats.peak);
    item["failcnt"] = stats.failures.value_or(0);
    object[size] = std::move(item);
  }
  return object;
}

Json interfaces_to_json(const std::vector<kernel::InterfaceCounters>& interfaces) {
  Json list = Json::array();
  for (const auto& counters : interfaces)
    list.push_back({{"Name", counters.name},
                    {"RxBytes", counters.rx_bytes},
                    {"RxPackets", counters.rx_packets},
                    {"RxErrors", counters.rx_errors},
                    {"RxDropped", counters.rx_dropped},
                    {"TxBytes", counters.tx_bytes},
                    {"TxPackets", counters.tx_packets},
                    {"TxErrors", counters.tx_errors},
                    {"TxDropped", counters.tx_dropped}});
  return list;
}

// What a kernel wrote is not promised to be UTF-8 (a container names its interfaces).
std::string dump(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string stats_event(std::string_view id, const kernel::CgroupStats& stats,
                        const std::vector<kernel::InterfaceCounters>& interfaces) {
  Json pids = Json::object();
  if (stats.pids) {
    put_unless_zero(pids, "current", stats.pids->current);
    // Without limit there is no number: the field has always been left out then.
    if (stats.pids->limit != kernel::kNoLimit) put_unless_zero(pids, "limit", stats.pids->limit);
  }
  Json data = {{"cpu", cpu_to_json(stats)},
               {"cpuset", cpuset_to_json(stats.cpuset.value_or(kernel::CpusetStats{}))},
               {"memory", memory_to_json(stats)},
               {"pids", std::move(pids)},
               {"blkio", block_to_json(stats)},
               {"hugetlb", hugepages_to_json(stats.hugepages)},
               {"intel_rdt", Json::object()},
               {"network_interfaces", interfaces_to_json(interfaces)}};
  return dump({{"type", "stats"}, {"id", id}, {"data", std::move(data)}});
}

std::string oom_event(std::string_view id) { return dump({{"type", "oom"}, {"id", id}}); }

}  // namespace fermata::runtime
