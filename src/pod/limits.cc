#include "pod/limits.h"

#include <unistd.h>

#include <cmath>

namespace fermata::pod {
namespace {

constexpr std::uint64_t kMinimumMemory = 6u << 20;
constexpr std::uint64_t kCpuPeriod = 100000;  // microseconds, the kernel's default
constexpr std::uint64_t kDefaultShares = 1024;

tl::unexpected<Error> bad(std::string_view why) { return fail(ErrorKind::invalid_argument, "{}", why); }

Result<void> check_memory(const Resources& resources) {
  if (resources.memory_swap && *resources.memory_swap > 0) {
    if (!resources.memory)
      return bad("You should always set the Memory limit when using Memoryswap limit, see usage");
    if (static_cast<std::uint64_t>(*resources.memory_swap) < *resources.memory)
      return bad("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (resources.memory_reservation && resources.memory && *resources.memory_reservation > *resources.memory)
    return bad("Minimum memory limit can not be less than memory reservation limit, see usage");
  return {};
}

Result<void> check_cpu(const Resources& resources) {
  if (resources.cpus && !(*resources.cpus >= 0.01 || *resources.cpus == 0))
    return fail(ErrorKind::invalid_argument, "--cpus {}: the least is 0.01", *resources.cpus);
  if (resources.cpus && resources.cpu_period)
    return bad("Conflicting options: Nano CPUs and CPU Period cannot both be set.");
  if (resources.cpus && resources.cpu_quota)
    return bad("Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
  if (resources.cpu_period && (*resources.cpu_period < 1000 || *resources.cpu_period > 1000000))
    return bad("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  if (resources.cpu_quota && *resources.cpu_quota > 0 && *resources.cpu_quota < 1000)
    return bad("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  return {};
}

template <class T>
void change(std::optional<T>& value, const std::optional<T>& given) {
  if (given) value = given;
}

}  // namespace

Result<void> check_resources(const Resources& resources) {
  TRY(check_memory(resources));
  TRY(check_cpu(resources));
  if (resources.blkio_weight && (*resources.blkio_weight < 10 || *resources.blkio_weight > 1000))
    return bad("Range of blkio weight is from 10 to 1000");
  return {};
}

Result<void> check_least_memory(const Resources& resources) {
  if (resources.memory && *resources.memory != 0 && *resources.memory < kMinimumMemory)
    return bad("Minimum memory limit allowed is 6MB");
  return {};
}

Result<void> check_machine_resources(const Resources& resources) {
  const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (resources.cpus.value_or(0) > static_cast<double>(cpus))
    return fail(ErrorKind::invalid_argument,
                "Range of CPUs is from 0.01 to {}.00, as there are only {} CPUs available", cpus, cpus);
  return {};
}

kernel::CgroupLimits limits_of(const Resources& resources) {
  kernel::CgroupLimits limits;
  if (resources.memory.value_or(0) != 0) {
    limits.memory_max = resources.memory;
    // Docker: as much swap again as memory unless it is told.
    const std::int64_t swap = resources.memory_swap.value_or(0);
    if (swap == 0) limits.memory_swap_max = *resources.memory * 2;
    if (swap > 0) limits.memory_swap_max = static_cast<std::uint64_t>(swap);
  }
  limits.memory_reservation = resources.memory_reservation;
  limits.cpu_quota = resources.cpu_quota;
  limits.cpu_period = resources.cpu_period;
  if (resources.cpus && *resources.cpus > 0) {
    limits.cpu_quota = std::llround(*resources.cpus * static_cast<double>(kCpuPeriod));
    limits.cpu_period = kCpuPeriod;
  }
  limits.cpu_shares = resources.cpu_shares;
  limits.cpuset_cpus = resources.cpuset_cpus;
  limits.cpuset_mems = resources.cpuset_mems;
  limits.block_weight = resources.blkio_weight;
  if (resources.pids_limit) limits.pids_max = *resources.pids_limit <= 0 ? -1 : *resources.pids_limit;
  for (const auto& [page_size, bytes] : resources.hugepages)
    limits.hugepages.push_back({.page_size = page_size, .bytes = bytes});
  limits.unified = resources.unified;
  return limits;
}

Result<Resources> change_resources(const Resources& old, const Resources& changes) {
  if (changes.cpus && (old.cpu_period || old.cpu_quota))
    return bad(
        "Conflicting options: Nano CPUs cannot be updated as CPU Period or Quota has already been set.");
  if (old.cpus && (changes.cpu_period || changes.cpu_quota))
    return bad(
        "Conflicting options: CPU Period and Quota cannot be updated as NanoCPUs has already been set.");
  if (changes.memory && !changes.memory_swap && old.memory_swap.value_or(0) > 0 &&
      *changes.memory > static_cast<std::uint64_t>(*old.memory_swap))
    return bad(
        "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same "
        "time");
  Resources result = old;
  change(result.memory, changes.memory);
  change(result.memory_swap, changes.memory_swap);
  change(result.memory_reservation, changes.memory_reservation);
  change(result.cpus, changes.cpus);
  change(result.cpu_quota, changes.cpu_quota);
  change(result.cpu_period, changes.cpu_period);
  change(result.cpu_shares, changes.cpu_shares);
  change(result.cpuset_cpus, changes.cpuset_cpus);
  change(result.cpuset_mems, changes.cpuset_mems);
  change(result.pids_limit, changes.pids_limit);
  change(result.blkio_weight, changes.blkio_weight);
  if (!changes.hugepages.empty()) result.hugepages = changes.hugepages;
  for (const auto& [file, value] : changes.unified) result.unified[file] = value;
  TRY(check_resources(result));
  return result;
}

kernel::CgroupLimits limits_after_update(const Resources& resources) {
  kernel::CgroupLimits limits = limits_of(resources);
  if (resources.memory_swap == -1) limits.memory_swap_max = kernel::kNoLimit;
  return limits;
}

kernel::CgroupLimits limits_before_update(const Resources& old, const Resources& changes) {
  kernel::CgroupLimits limits = limits_after_update(old);
  const auto otherwise = [](auto& limit, bool changed, auto value) {
    if (changed && !limit) limit = value;
  };
  // Lists of processors and nodes have no value that stands for "all of them" on every version.
  otherwise(limits.memory_max, changes.memory.has_value(), kernel::kNoLimit);
  otherwise(limits.memory_swap_max, changes.memory || changes.memory_swap, kernel::kNoLimit);
  otherwise(limits.memory_reservation, changes.memory_reservation.has_value(), std::uint64_t{0});
  otherwise(limits.cpu_quota, changes.cpus || changes.cpu_quota, std::int64_t{-1});
  otherwise(limits.cpu_period, changes.cpus || changes.cpu_period, kCpuPeriod);
  otherwise(limits.cpu_shares, changes.cpu_shares.has_value(), kDefaultShares);
  otherwise(limits.pids_max, changes.pids_limit.has_value(), std::int64_t{-1});
  return limits;
}

Result<std::string> apply_limits(kernel::Cgroup& group, const Resources& resources,
                                 kernel::CgroupLimits& limits) {
  auto applied = group.apply(limits);
  if (applied) return std::string();
  // Not asked for, and many kernels do not account for swap.
  if (!limits.memory_swap_max || resources.memory_swap) return tl::unexpected(std::move(applied.error()));
  limits.memory_swap_max.reset();
  TRY(group.apply(limits));
  return std::string(
      "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited "
      "without swap.");
}

}  // namespace fermata::pod
