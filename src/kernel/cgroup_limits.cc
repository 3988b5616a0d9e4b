// Limits and figures of a group, for both versions of the controllers.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_devices.h"

namespace fermata::kernel {
namespace {

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

std::string bytes_v2(std::uint64_t bytes) { return bytes == kUnlimited ? "max" : std::to_string(bytes); }
std::string bytes_v1(std::uint64_t bytes) { return bytes == kUnlimited ? "-1" : std::to_string(bytes); }

// v1's 2..262144 onto v2's 1..10000, so that both ends meet.
std::uint64_t weight_of_shares(std::uint64_t shares) {
  const std::uint64_t bounded = std::clamp<std::uint64_t>(shares, 2, 262144);
  return 1 + (bounded - 2) * 9999 / 262142;
}

Result<void> set_limit(const std::string& directory, std::string_view file, const std::string& value) {
  if (directory.empty())
    return fail(ErrorKind::unsupported, "set {} to '{}': the host has no such controller", file, value);
  auto written = write_kernel_file(fmt::format("{}/{}", directory, file), value);
  if (!written && written.error().error_number() == ENOENT)
    return fail(ErrorKind::unsupported,
                "set {} to '{}' in '{}': the kernel or its delegation does not offer it", file, value,
                directory);
  return written;
}

std::optional<std::uint64_t> read_number(const std::string& directory, const char* file) {
  if (directory.empty()) return std::nullopt;
  const auto text = read_file(directory + file);
  return text ? parse_unsigned(trim(*text)) : std::nullopt;
}

std::optional<std::uint64_t> read_keyed(const std::string& directory, const char* file,
                                        std::string_view key) {
  if (directory.empty()) return std::nullopt;
  const auto text = read_file(directory + file);
  if (!text) return std::nullopt;
  for (const auto line : split(*text, '\n'))
    if (const auto pair = split_once(line, ' '); pair && pair->first == key)
      return parse_unsigned(pair->second);
  return std::nullopt;
}

// The kernel keeps memory <= memory+swap at every moment, so the order depends on the direction.
Result<void> set_memory_v1(const std::string& directory, const std::string& memory,
                           const std::optional<std::string>& both) {
  if (set_limit(directory, "memory.limit_in_bytes", memory)) {
    return both ? set_limit(directory, "memory.memsw.limit_in_bytes", *both) : Result<void>{};
  }
  if (both) TRY(set_limit(directory, "memory.memsw.limit_in_bytes", *both));
  return set_limit(directory, "memory.limit_in_bytes", memory);
}

}  // namespace

Result<void> Cgroup::apply_memory(const CgroupLimits& limits) const {
  const std::string directory = directory_of("memory");
  if (is_v1("memory")) {
    std::optional<std::string> both;
    if (limits.memory_swap_max) both = bytes_v1(*limits.memory_swap_max);
    if (limits.memory_max) TRY(set_memory_v1(directory, bytes_v1(*limits.memory_max), both));
    if (!limits.memory_max && both) TRY(set_limit(directory, "memory.memsw.limit_in_bytes", *both));
    if (limits.memory_reservation)
      TRY(set_limit(directory, "memory.soft_limit_in_bytes", bytes_v1(*limits.memory_reservation)));
    return {};
  }
  if (limits.memory_max) TRY(set_limit(directory, "memory.max", bytes_v2(*limits.memory_max)));
  if (limits.memory_swap_max) {
    // v2 counts swap alone.
    const std::uint64_t memory = limits.memory_max.value_or(0);
    const std::uint64_t swap = *limits.memory_swap_max;
    if (swap != kUnlimited && swap < memory)
      return fail(ErrorKind::invalid_argument, "memory and swap together ({}) are less than memory ({})",
                  swap, memory);
    TRY(set_limit(directory, "memory.swap.max", bytes_v2(swap == kUnlimited ? swap : swap - memory)));
  }
  if (limits.memory_reservation)
    TRY(set_limit(directory, "memory.low", bytes_v2(*limits.memory_reservation)));
  return {};
}

Result<void> Cgroup::apply_cpu(const CgroupLimits& limits) const {
  const std::string directory = directory_of("cpu");
  const bool v1 = is_v1("cpu");
  if (limits.cpu_shares && v1) TRY(set_limit(directory, "cpu.shares", std::to_string(*limits.cpu_shares)));
  if (limits.cpu_shares && !v1)
    TRY(set_limit(directory, "cpu.weight", std::to_string(weight_of_shares(*limits.cpu_shares))));
  if (limits.cpu_quota) {
    const bool none = *limits.cpu_quota < 0;
    if (v1) {
      TRY(set_limit(directory, "cpu.cfs_period_us", std::to_string(limits.cpu_period)));
      TRY(set_limit(directory, "cpu.cfs_quota_us", std::to_string(none ? -1 : *limits.cpu_quota)));
    } else {
      const std::string quota = none ? "max" : std::to_string(*limits.cpu_quota);
      TRY(set_limit(directory, "cpu.max", fmt::format("{} {}", quota, limits.cpu_period)));
    }
  }
  if (limits.cpuset_cpus) TRY(set_limit(directory_of("cpuset"), "cpuset.cpus", *limits.cpuset_cpus));
  return {};
}

Result<void> Cgroup::apply_devices(const CgroupLimits& limits) const {
  if (limits.devices.empty()) return {};
  if (is_v1("devices")) {
    const std::string directory = directory_of("devices");
    for (const auto& rule : limits.devices)
      TRY(set_limit(directory, rule.allow ? "devices.allow" : "devices.deny", format_device_rule(rule)));
    return {};
  }
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
  return apply_devices(limits);
}

std::uint64_t Cgroup::oom_kills() const {
  return read_keyed(directory_of("memory"), is_v1("memory") ? "/memory.oom_control" : "/memory.events",
                    "oom_kill")
      .value_or(0);
}

UniqueFd Cgroup::open_oom_events() const {
  const std::string directory = directory_of("memory");
  if (directory.empty()) return {};
  if (!is_v1("memory")) {
    UniqueFd events(::open((directory + "/memory.events").c_str(), O_RDONLY | O_CLOEXEC));
    // The first read arms it: poll(2) tells POLLPRI when the file has changed since.
    char byte;
    if (events && ::read(events.get(), &byte, 1) < 0) return {};
    return events;
  }
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd control(::open((directory + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC));
  if (!event || !control) return {};
  const std::string line = fmt::format("{} {}", event.get(), control.get());
  if (!write_kernel_file(directory + "/cgroup.event_control", line)) return {};
  return event;
}

std::optional<std::uint64_t> Cgroup::memory_current() const {
  return read_number(directory_of("memory"), is_v1("memory") ? "/memory.usage_in_bytes" : "/memory.current");
}

std::optional<std::uint64_t> Cgroup::pids_current() const {
  return read_number(directory_of("pids"), "/pids.current");
}

std::optional<std::uint64_t> Cgroup::cpu_usage_usec() const {
  if (!is_v1("cpuacct")) return read_keyed(unified_directory(), "/cpu.stat", "usage_usec");
  const auto nanoseconds = read_number(directory_of("cpuacct"), "/cpuacct.usage");
  if (!nanoseconds) return std::nullopt;
  return *nanoseconds / 1000;
}

}  // namespace fermata::kernel
