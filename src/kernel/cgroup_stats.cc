// Collects the figures of a group. Each controller is read for itself, from whichever hierarchy has it.
#include "kernel/cgroup_stats.h"

#include <dirent.h>
#include <fmt/format.h>

#include <array>

#include "base/files.h"
#include "base/text.h"
#include "base/unique_dir.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_files.h"

namespace fermata::kernel {
namespace {

constexpr std::uint64_t kNanosecondsPerMicrosecond = 1000;
// v1 shows "no limit" as the largest signed number, rounded down to a page, whose size is at most this.
constexpr std::uint64_t kLargestPage = 64 << 10;
constexpr std::uint64_t kNoLimitV1 = ~std::uint64_t{0} / 2 - kLargestPage;

using Numbers = std::map<std::string, std::uint64_t>;

std::string read_text(const std::string& directory, std::string_view file) {
  return directory.empty() ? "" : read_file(fmt::format("{}/{}", directory, file)).value_or("");
}

std::optional<std::uint64_t> number_of(const Numbers& numbers, const std::string& key) {
  const auto found = numbers.find(key);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint64_t> nanoseconds_of(const Numbers& numbers, const std::string& key) {
  const auto microseconds = number_of(numbers, key);
  return microseconds ? std::optional(*microseconds * kNanosecondsPerMicrosecond) : std::nullopt;
}

std::optional<std::uint64_t> limit_of_v1(std::optional<std::uint64_t> value) {
  return value && *value >= kNoLimitV1 ? kNoLimit : value;
}

std::optional<CpuStats> cpu_of_v2(const std::string& directory) {
  const Numbers numbers = parse_keyed_numbers(read_text(directory, "cpu.stat"));
  const auto usage = nanoseconds_of(numbers, "usage_usec");
  if (!usage) return std::nullopt;
  CpuStats stats;
  stats.usage = *usage;
  stats.user = nanoseconds_of(numbers, "user_usec");
  stats.system = nanoseconds_of(numbers, "system_usec");
  stats.periods = number_of(numbers, "nr_periods");
  stats.throttled_periods = number_of(numbers, "nr_throttled");
  stats.throttled_time = nanoseconds_of(numbers, "throttled_usec");
  stats.bursts = number_of(numbers, "nr_bursts");
  stats.burst_time = nanoseconds_of(numbers, "burst_usec");
  return stats;
}

// cpuacct.usage_all: a heading "cpu user system", then a line for each.
void read_per_cpu(const std::string& text, CpuStats& stats) {
  for (const auto line : split(text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() != 3) continue;
    const auto user = parse_unsigned(words[1]), system = parse_unsigned(words[2]);
    if (!parse_unsigned(words[0]) || !user || !system) continue;
    stats.per_cpu.push_back(*user + *system);
    stats.per_cpu_user.push_back(*user);
    stats.per_cpu_system.push_back(*system);
  }
}

std::optional<CpuStats> cpu_of_v1(const std::string& accounting, const std::string& scheduling,
                                  StatsDepth depth) {
  const auto usage = read_number(accounting, "cpuacct.usage");
  if (!usage) return std::nullopt;
  CpuStats stats;
  stats.usage = *usage;
  stats.user = read_number(accounting, "cpuacct.usage_user");
  stats.system = read_number(accounting, "cpuacct.usage_sys");
  if (depth == StatsDepth::all) read_per_cpu(read_text(accounting, "cpuacct.usage_all"), stats);
  const Numbers numbers = parse_keyed_numbers(read_text(scheduling, "cpu.stat"));
  stats.periods = number_of(numbers, "nr_periods");
  stats.throttled_periods = number_of(numbers, "nr_throttled");
  stats.throttled_time = number_of(numbers, "throttled_time");
  stats.bursts = number_of(numbers, "nr_bursts");
  stats.burst_time = number_of(numbers, "burst_time");
  return stats;
}

std::optional<MemoryCounter> counter_of_v1(const std::string& directory, const std::string& prefix) {
  const auto usage = read_number(directory, prefix + ".usage_in_bytes");
  if (!usage) return std::nullopt;
  return MemoryCounter{.usage = *usage,
                       .peak = read_number(directory, prefix + ".max_usage_in_bytes"),
                       .limit = limit_of_v1(read_number(directory, prefix + ".limit_in_bytes")),
                       .failures = read_number(directory, prefix + ".failcnt")};
}

// "total_" figures count descendants too; the plain ones do not.
void finish_memory(MemoryStats& stats, const std::string& cache, const std::string& inactive) {
  stats.cache = number_of(stats.raw, cache).value_or(0);
  const std::uint64_t idle = number_of(stats.raw, inactive).value_or(0);
  stats.working_set = stats.memory.usage > idle ? stats.memory.usage - idle : 0;
}

std::optional<MemoryStats> memory_of_v1(const std::string& directory, StatsDepth depth) {
  const auto memory = counter_of_v1(directory, "memory");
  if (!memory) return std::nullopt;
  MemoryStats stats;
  stats.memory = *memory;
  stats.memory_and_swap = counter_of_v1(directory, "memory.memsw");
  if (depth == StatsDepth::all) {
    stats.kernel = counter_of_v1(directory, "memory.kmem");
    stats.kernel_tcp = counter_of_v1(directory, "memory.kmem.tcp");
  }
  stats.raw = parse_keyed_numbers(read_text(directory, "memory.stat"));
  stats.swap = number_of(stats.raw, "total_swap");
  if (const auto kills = read_keyed(directory, "memory.oom_control", "oom_kill"))
    stats.events["oom_kill"] = *kills;
  finish_memory(stats, "total_cache", "total_inactive_file");
  return stats;
}

// As v1 counts, so that the reader of a figure need not know the host. There is no common peak.
std::optional<MemoryCounter> with_swap(const std::string& directory, const MemoryCounter& memory) {
  const auto usage = read_number(directory, "memory.swap.current");
  if (!usage) return std::nullopt;
  const std::uint64_t swap_limit = read_number(directory, "memory.swap.max").value_or(kNoLimit);
  const std::uint64_t memory_limit = memory.limit.value_or(kNoLimit);
  const bool none = swap_limit == kNoLimit || memory_limit == kNoLimit;
  return MemoryCounter{.usage = memory.usage + *usage,
                       .peak = std::nullopt,
                       .limit = none ? kNoLimit : swap_limit + memory_limit,
                       .failures = read_keyed(directory, "memory.swap.events", "max")};
}

std::optional<MemoryStats> memory_of_v2(const std::string& directory) {
  const auto usage = read_number(directory, "memory.current");
  if (!usage) return std::nullopt;
  MemoryStats stats;
  stats.raw = parse_keyed_numbers(read_text(directory, "memory.stat"));
  stats.events = parse_keyed_numbers(read_text(directory, "memory.events"));
  stats.memory = {.usage = *usage,
                  .peak = read_number(directory, "memory.peak"),  // 5.19
                  .limit = read_number(directory, "memory.max"),
                  .failures = number_of(stats.events, "max")};
  stats.memory_and_swap = with_swap(directory, stats.memory);
  stats.swap = read_number(directory, "memory.swap.current");
  if (const auto kernel = number_of(stats.raw, "kernel"))  // 5.18
    stats.kernel = MemoryCounter{.usage = *kernel, .peak = {}, .limit = {}, .failures = {}};
  finish_memory(stats, "file", "inactive_file");
  return stats;
}

std::optional<CpusetStats> cpuset_of_v1(const std::string& directory) {
  if (!has_file(directory, "cpuset.cpus")) return std::nullopt;
  CpusetStats stats;
  stats.cpus = trim(read_text(directory, "cpuset.cpus"));
  stats.mems = trim(read_text(directory, "cpuset.mems"));
  for (const char* flag :
       {"cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
        "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"})
    if (const auto value = parse_signed(trim(read_text(directory, std::string("cpuset.") + flag))))
      stats.flags[flag] = *value;
  return stats;
}

std::optional<CpusetStats> cpuset_of_v2(const std::string& directory) {
  if (!has_file(directory, "cpuset.cpus.effective")) return std::nullopt;
  CpusetStats stats;
  stats.cpus = trim(read_text(directory, "cpuset.cpus.effective"));
  stats.mems = trim(read_text(directory, "cpuset.mems.effective"));
  return stats;
}

// Each scheduler counts in files of its own; the throttling layer counts what none of them sees.
std::optional<BlockStats> block_of_v1(const std::string& directory) {
  for (const char* scheduler : {"blkio.bfq", "blkio", "blkio.throttle"}) {
    const auto read = [&](const char* figure) {
      return parse_block_entries(read_text(directory, fmt::format("{}.{}_recursive", scheduler, figure)));
    };
    BlockStats stats;
    stats.service_bytes = read("io_service_bytes");
    stats.serviced = read("io_serviced");
    if (stats.serviced.empty()) continue;
    stats.queued = read("io_queued");
    stats.service_time = read("io_service_time");
    stats.wait_time = read("io_wait_time");
    stats.merged = read("io_merged");
    stats.time = read("time");
    stats.sectors = read("sectors");
    return stats;
  }
  return has_file(directory, "blkio.throttle.io_serviced_recursive") ? std::optional(BlockStats{})
                                                                     : std::nullopt;
}

// The page sizes are those that have files: "hugetlb.2MB.<suffix>".
std::vector<std::string> page_sizes(const std::string& directory, std::string_view suffix) {
  std::vector<std::string> sizes;
  const UniqueDir dir(directory.empty() ? nullptr : ::opendir(directory.c_str()));
  if (!dir) return sizes;
  while (const dirent* entry = ::readdir(dir.get())) {
    const auto words = split(entry->d_name, '.');
    if (words.size() == 3 && words[0] == "hugetlb" && words[2] == suffix) sizes.emplace_back(words[1]);
  }
  return sizes;
}

std::map<std::string, HugepageStats> hugepages_of(const std::string& directory, bool v1) {
  const char* usage = v1 ? "usage_in_bytes" : "current";
  const char* limit = v1 ? "limit_in_bytes" : "max";
  std::map<std::string, HugepageStats> all;
  for (const auto& size : page_sizes(directory, usage)) {
    // Pages that are reserved are gone for others already. 5.7.
    const bool reserved = has_file(directory, fmt::format("hugetlb.{}.rsvd.{}", size, usage));
    const std::string prefix = fmt::format("hugetlb.{}.{}", size, reserved ? "rsvd." : "");
    HugepageStats& stats = all[size];
    stats.usage = read_number(directory, prefix + usage).value_or(0);
    stats.limit = limit_of_v1(read_number(directory, prefix + limit));
    if (v1) {
      stats.peak = read_number(directory, prefix + "max_usage_in_bytes");
      stats.failures = read_number(directory, prefix + "failcnt");
    } else {
      stats.failures = read_keyed(directory, fmt::format("hugetlb.{}.events", size), "max");
    }
  }
  return all;
}

}  // namespace

Result<CgroupStats> Cgroup::stats(StatsDepth depth) const {
  if (!exists()) return fail(ErrorKind::not_found, "cgroup '{}' does not exist", path_);
  const std::string unified = unified_directory();
  CgroupStats stats;
  stats.cpu =
      is_v1("cpuacct") ? cpu_of_v1(directory_of("cpuacct"), directory_of("cpu"), depth) : cpu_of_v2(unified);
  const std::string memory = directory_of("memory");
  stats.memory = is_v1("memory") ? memory_of_v1(memory, depth) : memory_of_v2(memory);
  const std::string pids = directory_of("pids");
  if (const auto current = read_number(pids, "pids.current"))
    stats.pids = PidsStats{.current = *current, .limit = read_number(pids, "pids.max")};
  if (is_v1("blkio")) {
    stats.block = block_of_v1(directory_of("blkio"));
  } else if (has_file(unified, "io.stat")) {
    stats.block = parse_io_stat(read_text(unified, "io.stat"));
  }
  stats.cpu_pressure = parse_pressure(read_text(unified, "cpu.pressure"));
  stats.memory_pressure = parse_pressure(read_text(unified, "memory.pressure"));
  stats.io_pressure = parse_pressure(read_text(unified, "io.pressure"));
  if (depth == StatsDepth::usage) return stats;
  const std::string cpuset = directory_of("cpuset");
  stats.cpuset = is_v1("cpuset") ? cpuset_of_v1(cpuset) : cpuset_of_v2(cpuset);
  stats.hugepages = hugepages_of(directory_of("hugetlb"), is_v1("hugetlb"));
  const std::string rdma = directory_of("rdma");
  stats.rdma = parse_rdma(read_text(rdma, "rdma.current"), read_text(rdma, "rdma.max"));
  return stats;
}

}  // namespace fermata::kernel
