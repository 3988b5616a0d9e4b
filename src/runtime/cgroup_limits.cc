#include "runtime/cgroup_limits.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace fermata::runtime {
namespace {

constexpr std::uint16_t kMinBlockWeight = 10, kMaxBlockWeight = 1000;
constexpr std::uint64_t kMaxSwappiness = 100;
constexpr std::uint64_t kKeepSwappiness = ~std::uint64_t{0};  // -1, as the engines write "not given"

template <class T>
std::optional<T> unless_zero(std::optional<T> value) {
  return value && *value != 0 ? value : std::nullopt;
}

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

Result<std::optional<std::uint64_t>> bytes(std::string_view field, std::optional<std::int64_t> value) {
  if (!value || *value == 0) return std::nullopt;
  if (*value < -1)
    return fail(ErrorKind::invalid_argument, "{}: {} is neither a size nor -1 (no limit)", field, *value);
  return *value == -1 ? kernel::kNoLimit : static_cast<std::uint64_t>(*value);
}

Result<void> read_memory(const oci::Resources& resources, kernel::CgroupLimits& limits) {
  TRY(limits.memory_max, bytes("memory.limit", resources.memory_limit));
  TRY(limits.memory_reservation, bytes("memory.reservation", resources.memory_reservation));
  TRY(limits.memory_swap_max, bytes("memory.swap", resources.memory_swap));
  TRY(limits.memory_kernel_max, bytes("memory.kernel", resources.kernel_memory));
  TRY(limits.memory_kernel_tcp_max, bytes("memory.kernelTCP", resources.kernel_tcp_memory));
  const auto& memory = limits.memory_max;
  auto& swap = limits.memory_swap_max;
  if (swap && *swap != kernel::kNoLimit) {
    if (!memory)
      return fail(ErrorKind::invalid_argument,
                  "memory.swap: {} counts memory and swap together, so it needs memory.limit", *swap);
    if (*memory != kernel::kNoLimit && *swap < *memory)
      return fail(
          ErrorKind::invalid_argument,
          "memory.swap: {} counts memory and swap together, so it cannot be less than memory.limit {}", *swap,
          *memory);
  }
  if (memory == kernel::kNoLimit && !swap) swap = kernel::kNoLimit;
  if (resources.memory_swappiness && *resources.memory_swappiness != kKeepSwappiness) {
    if (*resources.memory_swappiness > kMaxSwappiness)
      return fail(ErrorKind::invalid_argument, "memory.swappiness: {} is not within 0 to {}",
                  *resources.memory_swappiness, kMaxSwappiness);
    limits.memory_swappiness = resources.memory_swappiness;
  }
  // The document's false is the kernel's own state, and on v2 the only one.
  if (resources.disable_oom_killer.value_or(false)) limits.disable_oom_killer = true;
  limits.check_before_update = resources.check_before_update.value_or(false);
  return {};
}

Result<void> read_cpu(const oci::Resources& resources, kernel::CgroupLimits& limits) {
  limits.cpu_shares = unless_zero(resources.cpu_shares);
  limits.cpu_quota = unless_zero(resources.cpu_quota);
  if (limits.cpu_quota) limits.cpu_quota = std::max<std::int64_t>(*limits.cpu_quota, -1);
  limits.cpu_period = unless_zero(resources.cpu_period);
  limits.cpu_burst = resources.cpu_burst;
  limits.cpu_realtime_runtime = unless_zero(resources.cpu_realtime_runtime);
  limits.cpu_realtime_period = unless_zero(resources.cpu_realtime_period);
  if (resources.cpu_idle && *resources.cpu_idle != 0 && *resources.cpu_idle != 1)
    return fail(ErrorKind::invalid_argument, "cpu.idle: {} is neither 0 nor 1", *resources.cpu_idle);
  limits.cpu_idle = resources.cpu_idle;
  limits.cpuset_cpus = unless_empty(resources.cpuset_cpus);
  limits.cpuset_mems = unless_empty(resources.cpuset_mems);
  return {};
}

Result<std::optional<std::uint16_t>> block_weight(std::string_view field,
                                                  std::optional<std::uint16_t> value) {
  if (!value || *value == 0) return std::nullopt;
  if (*value < kMinBlockWeight || *value > kMaxBlockWeight)
    return fail(ErrorKind::invalid_argument, "{}: {} is not within {} to {}", field, *value, kMinBlockWeight,
                kMaxBlockWeight);
  return value;
}

std::vector<kernel::BlockThrottle> throttles(const std::vector<oci::ThrottleDevice>& list) {
  std::vector<kernel::BlockThrottle> limits;
  for (const auto& [major, minor, rate] : list) limits.push_back({major, minor, rate});
  return limits;
}

Result<void> read_block(const oci::Resources& resources, kernel::CgroupLimits& limits) {
  TRY(limits.block_weight, block_weight("blockIO.weight", resources.blkio_weight));
  TRY(limits.block_leaf_weight, block_weight("blockIO.leafWeight", resources.blkio_leaf_weight));
  for (const auto& device : resources.blkio_weight_devices) {
    kernel::BlockWeight limit = {
        .major = device.major, .minor = device.minor, .weight = {}, .leaf_weight = {}};
    TRY(limit.weight, block_weight("blockIO.weightDevice.weight", device.weight));
    TRY(limit.leaf_weight, block_weight("blockIO.weightDevice.leafWeight", device.leaf_weight));
    limits.block_weights.push_back(limit);
  }
  limits.block_read_bytes = throttles(resources.blkio_read_bps);
  limits.block_write_bytes = throttles(resources.blkio_write_bps);
  limits.block_read_operations = throttles(resources.blkio_read_iops);
  limits.block_write_operations = throttles(resources.blkio_write_iops);
  return {};
}

// "64KB", "2MB", "1GB": it becomes part of a file's name.
bool is_page_size(std::string_view text) {
  if (text.size() < 3 || text.back() != 'B') return false;
  const char unit = text[text.size() - 2];
  return (unit == 'K' || unit == 'M' || unit == 'G') &&
         parse_unsigned(text.substr(0, text.size() - 2)).value_or(0) > 0;
}

// One word: it becomes part of a line whose fields are separated by blanks.
bool is_word(std::string_view text) {
  return !text.empty() && text.find_first_of(" \t\n=/") == std::string_view::npos;
}

Result<void> read_others(const oci::Resources& resources, kernel::CgroupLimits& limits) {
  if (const auto pids = unless_zero(resources.pids_limit))
    limits.pids_max = std::max<std::int64_t>(*pids, -1);
  for (const auto& [size, limit] : resources.hugepages) {
    if (!is_page_size(size))
      return fail(ErrorKind::invalid_argument,
                  "hugepageLimits.pageSize: '{}' is not a size such as 64KB, 2MB or 1GB", size);
    limits.hugepages.push_back({size, limit});
  }
  for (const auto& [device, limit] : resources.rdma) {
    if (!is_word(device))
      return fail(ErrorKind::invalid_argument, "rdma: '{}' is not the name of a device", device);
    limits.rdma[device] = {.handles = limit.hca_handles, .objects = limit.hca_objects};
  }
  limits.network_class = unless_zero(resources.network_class_id);
  for (const auto& [name, priority] : resources.network_priorities) {
    if (!is_word(name))
      return fail(ErrorKind::invalid_argument, "network.priorities: '{}' is not the name of an interface",
                  name);
    limits.network_priorities.push_back({name, priority});
  }
  return {};
}

Result<void> read_devices(const oci::Resources& resources, kernel::CgroupLimits& limits) {
  constexpr std::string_view kTypes = "abcu", kAccess = "rwm";
  for (const auto& rule : resources.devices) {
    if (kTypes.find(rule.type) == std::string_view::npos)
      return fail(ErrorKind::invalid_argument, "devices: type '{}' is none of a, b, c, u", rule.type);
    if (rule.access.empty() || rule.access.find_first_not_of(kAccess) != std::string::npos)
      return fail(ErrorKind::invalid_argument, "devices: access '{}' is not made of r, w, m", rule.access);
    limits.devices.push_back({.allow = rule.allow,
                              .type = rule.type,
                              .major = rule.major.value_or(-1),
                              .minor = rule.minor.value_or(-1),
                              .access = rule.access});
  }
  return {};
}

}  // namespace

Result<kernel::CgroupLimits> limits_of(const oci::Resources& resources) {
  kernel::CgroupLimits limits;
  TRY(read_memory(resources, limits));
  TRY(read_cpu(resources, limits));
  TRY(read_block(resources, limits));
  TRY(read_others(resources, limits));
  TRY(read_devices(resources, limits));
  limits.unified = resources.unified;
  return limits;
}

}  // namespace fermata::runtime
