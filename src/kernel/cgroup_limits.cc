// Setting a group's limits, for both versions of the controllers: memory, processor time, processes.
// Block I/O and networks are in cgroup_block.cc.
#include "kernel/cgroup_limits.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "base/files.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_devices.h"
#include "kernel/cgroup_files.h"

namespace fermata::kernel {
namespace {

constexpr std::uint64_t kMinShares = 2, kMaxShares = 262144, kMaxWeight = 10000;

std::string bytes_v2(std::uint64_t bytes) { return bytes == kNoLimit ? "max" : std::to_string(bytes); }
std::string bytes_v1(std::uint64_t bytes) { return bytes == kNoLimit ? "-1" : std::to_string(bytes); }

Result<void> refuse_on_v2(std::string_view what, std::string_view value) {
  return fail(ErrorKind::unsupported, "set {} to {}: cgroup v2 has no such limit", what, value);
}

// The kernel would enforce such a limit by killing.
Result<void> check_usage(const CgroupLimits& limits, const Cgroup& group) {
  if (!limits.check_before_update) return {};
  const auto usage = group.memory_current();
  if (!usage) return {};
  for (const auto& limit : {limits.memory_max, limits.memory_swap_max})
    if (limit && *limit <= *usage)
      return fail(ErrorKind::invalid_argument, "memory limit {}: {} bytes are in use already", *limit,
                  *usage);
  return {};
}

Result<void> set_memory_v1(const std::string& directory, const CgroupLimits& limits) {
  std::vector<Setting> bounds;
  if (limits.memory_max) bounds.push_back({"memory.limit_in_bytes", bytes_v1(*limits.memory_max)});
  // Where the kernel does not account for swap there is no limit to take away.
  if (limits.memory_swap_max &&
      (*limits.memory_swap_max != kNoLimit || has_file(directory, "memory.memsw.limit_in_bytes")))
    bounds.push_back({"memory.memsw.limit_in_bytes", bytes_v1(*limits.memory_swap_max)});
  // memory <= memory + swap at every moment.
  auto set = set_together(directory, std::move(bounds));
  if (!set && set.error().error_number() == EBUSY)
    return fail_with(std::move(set.error()),
                     fmt::format("{} bytes are in use and cannot be given back",
                                 read_number(directory, "memory.usage_in_bytes").value_or(0)));
  TRY(std::move(set));
  if (limits.memory_reservation)
    TRY(set_limit(directory, "memory.soft_limit_in_bytes", bytes_v1(*limits.memory_reservation)));
  if (limits.memory_kernel_max)
    TRY(set_limit(directory, "memory.kmem.limit_in_bytes", bytes_v1(*limits.memory_kernel_max)));
  if (limits.memory_kernel_tcp_max)
    TRY(set_limit(directory, "memory.kmem.tcp.limit_in_bytes", bytes_v1(*limits.memory_kernel_tcp_max)));
  if (limits.memory_swappiness)
    TRY(set_limit(directory, "memory.swappiness", std::to_string(*limits.memory_swappiness)));
  if (limits.disable_oom_killer)
    TRY(set_limit(directory, "memory.oom_control", *limits.disable_oom_killer ? "1" : "0"));
  if (limits.oom_group.value_or(false))
    return fail(ErrorKind::unsupported, "set memory.oom.group to '1': cgroup v1 has no such setting");
  return {};
}

// v2 counts swap alone.
Result<std::uint64_t> swap_alone(const std::string& directory, const CgroupLimits& limits) {
  const std::uint64_t both = *limits.memory_swap_max;
  const std::uint64_t memory =
      limits.memory_max ? *limits.memory_max : read_number(directory, "memory.max").value_or(kNoLimit);
  if (both == kNoLimit || memory == kNoLimit) return both;
  if (both < memory)
    return fail(ErrorKind::invalid_argument, "memory and swap together ({}) are less than memory ({})", both,
                memory);
  return both - memory;
}

Result<void> set_swap_v2(const std::string& directory, const CgroupLimits& limits) {
  if (!limits.memory_swap_max) return {};
  TRY(const std::uint64_t swap, swap_alone(directory, limits));
  // Without the file the kernel was built without swap: there is none, and nothing to limit.
  if ((swap == 0 || swap == kNoLimit) && has_file(directory, "memory.max") &&
      !has_file(directory, "memory.swap.max"))
    return {};
  return set_limit(directory, "memory.swap.max", bytes_v2(swap));
}

Result<void> refuse_memory_of_v1(const CgroupLimits& limits) {
  const auto& kernel = limits.memory_kernel_max;
  const auto& tcp = limits.memory_kernel_tcp_max;
  if (kernel && *kernel != kNoLimit) return refuse_on_v2("the kernel memory limit", std::to_string(*kernel));
  if (tcp && *tcp != kNoLimit) return refuse_on_v2("the kernel memory limit of TCP", std::to_string(*tcp));
  if (limits.memory_swappiness)
    return refuse_on_v2("memory swappiness", std::to_string(*limits.memory_swappiness));
  if (limits.disable_oom_killer.value_or(false)) return refuse_on_v2("'disable the OOM killer'", "true");
  return {};
}

Result<void> set_memory_v2(const std::string& directory, const CgroupLimits& limits) {
  TRY(refuse_memory_of_v1(limits));
  // Swap first: what a lower memory limit pushes out then knows already how much room there is.
  TRY(set_swap_v2(directory, limits));
  if (limits.memory_max) TRY(set_limit(directory, "memory.max", bytes_v2(*limits.memory_max)));
  if (limits.memory_reservation)
    TRY(set_limit(directory, "memory.low", bytes_v2(*limits.memory_reservation)));
  if (limits.oom_group) TRY(set_limit(directory, "memory.oom.group", *limits.oom_group ? "1" : "0"));
  return {};
}

// The weight of an idle group is fixed: the kernel refuses to change it, and forgets it when it becomes idle.
Result<void> set_shares_and_idle(const std::string& directory, bool v1, const CgroupLimits& limits) {
  if (limits.cpu_idle && (*limits.cpu_idle != 0 || has_file(directory, "cpu.idle")))
    TRY(set_limit(directory, "cpu.idle", std::to_string(*limits.cpu_idle)));
  if (!limits.cpu_shares || limits.cpu_idle.value_or(0) == 1) return {};
  if (v1) return set_limit(directory, "cpu.shares", std::to_string(*limits.cpu_shares));
  return set_limit(directory, "cpu.weight", std::to_string(weight_of_shares(*limits.cpu_shares)));
}

// cpu.max holds both; a quota alone leaves the period, a period alone needs the quota that is there.
std::string cpu_max(const std::string& directory, const CgroupLimits& limits) {
  std::string quota = "max";
  if (limits.cpu_quota.value_or(-1) >= 0) {
    quota = std::to_string(*limits.cpu_quota);
  } else if (!limits.cpu_quota) {
    const auto now = read_file(directory + "/cpu.max");
    if (const auto pair = now ? split_once(*now, ' ') : std::nullopt) quota = pair->first;
  }
  return limits.cpu_period ? fmt::format("{} {}", quota, *limits.cpu_period) : quota;
}

// The kernel holds burst <= quota, and quota / period <= what the group above has.
Result<void> set_bandwidth(const std::string& directory, bool v1, const CgroupLimits& limits) {
  std::vector<Setting> settings;
  if (limits.cpu_burst) {
    const std::string file = v1 ? "cpu.cfs_burst_us" : "cpu.max.burst";
    // None is what a kernel without it has anyway.
    if (*limits.cpu_burst != 0 || has_file(directory, file))
      settings.push_back({file, std::to_string(*limits.cpu_burst)});
  }
  if (v1 && limits.cpu_period) settings.push_back({"cpu.cfs_period_us", std::to_string(*limits.cpu_period)});
  if (v1 && limits.cpu_quota)
    settings.push_back({"cpu.cfs_quota_us", std::to_string(std::max<std::int64_t>(*limits.cpu_quota, -1))});
  if (!v1 && (limits.cpu_quota || limits.cpu_period))
    settings.push_back({"cpu.max", cpu_max(directory, limits)});
  return set_together(directory, std::move(settings));
}

Result<void> set_realtime(const std::string& directory, const CgroupLimits& limits) {
  std::vector<Setting> settings;
  if (limits.cpu_realtime_period)
    settings.push_back({"cpu.rt_period_us", std::to_string(*limits.cpu_realtime_period)});
  if (limits.cpu_realtime_runtime)
    settings.push_back({"cpu.rt_runtime_us", std::to_string(*limits.cpu_realtime_runtime)});
  return set_together(directory, std::move(settings));
}

// Rules are many, and each takes a write(2) of its own.
Result<void> set_devices_v1(const std::string& directory, const std::vector<DeviceRule>& rules) {
  TRY(const LimitFile allow, LimitFile::open(directory, "devices.allow"));
  TRY(const LimitFile deny, LimitFile::open(directory, "devices.deny"));
  for (const DeviceRule& rule : rules)
    for (const std::string& line : format_device_rule(rule)) TRY((rule.allow ? allow : deny).set(line));
  return {};
}

}  // namespace

std::uint64_t weight_of_shares(std::uint64_t shares) {
  if (shares <= kMinShares) return 1;
  if (shares >= kMaxShares) return kMaxWeight;
  const double l = std::log2(static_cast<double>(shares));
  const double weight = std::pow(10.0, (l * l + 125 * l) / 612 - 7.0 / 34);
  // The defaults meet exactly; rounding in the last place must not make 101 of 100.
  return static_cast<std::uint64_t>(std::ceil(weight - 1e-9));
}

Result<void> Cgroup::apply_memory(const CgroupLimits& limits) const {
  TRY(check_usage(limits, *this));
  const std::string directory = directory_of("memory");
  return is_v1("memory") ? set_memory_v1(directory, limits) : set_memory_v2(directory, limits);
}

Result<void> Cgroup::apply_cpu(const CgroupLimits& limits) const {
  const std::string directory = directory_of("cpu");
  const bool v1 = is_v1("cpu");
  TRY(set_shares_and_idle(directory, v1, limits));
  TRY(set_bandwidth(directory, v1, limits));
  TRY(set_realtime(directory, limits));
  if (limits.cpuset_cpus) TRY(set_limit(directory_of("cpuset"), "cpuset.cpus", *limits.cpuset_cpus));
  if (limits.cpuset_mems) TRY(set_limit(directory_of("cpuset"), "cpuset.mems", *limits.cpuset_mems));
  return {};
}

Result<void> Cgroup::apply_unified(const CgroupLimits& limits) const {
  for (const auto& [file, value] : limits.unified) {
    if (!mounts_.pure_v2())
      return fail(ErrorKind::unsupported, "set {} to '{}': this host does not use cgroup v2 alone", file,
                  value);
    if (file.find('/') != std::string::npos || file.find('.') == std::string::npos || file.front() == '.')
      return fail(ErrorKind::invalid_argument,
                  "'{}' is not a file of a cgroup: it must be of the form CONTROLLER.PARAMETER", file);
    // Files that hold a line for each device take one line at a time.
    for (const auto line : split(trim(value), '\n'))
      TRY(set_limit(unified_directory(), file, std::string(line)));
  }
  return {};
}

Result<void> Cgroup::apply_devices(const CgroupLimits& limits) const {
  if (limits.devices.empty()) return {};
  if (is_v1("devices")) return set_devices_v1(directory_of("devices"), limits.devices);
  const std::string directory = unified_directory();
  if (directory.empty())
    return fail(ErrorKind::unsupported, "device rules: the host has no device controller");
  TRY(const UniqueFd group, open_file(directory, O_RDONLY | O_DIRECTORY));
  return attach_device_program(group.get(), limits.devices);
}

Result<void> Cgroup::apply(const CgroupLimits& limits) {
  TRY(apply_memory(limits));
  TRY(apply_cpu(limits));
  if (limits.pids_max)
    TRY(set_limit(directory_of("pids"), "pids.max",
                  *limits.pids_max < 0 ? "max" : std::to_string(*limits.pids_max)));
  TRY(apply_block(limits));
  TRY(apply_hugepages(limits));
  TRY(apply_rdma(limits));
  TRY(apply_network(limits));
  TRY(apply_devices(limits));
  return apply_unified(limits);
}

}  // namespace fermata::kernel
