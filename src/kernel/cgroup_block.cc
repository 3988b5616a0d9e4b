// Limits of devices and networks: block I/O, huge pages, RDMA, the network classes of version 1.
#include <fmt/format.h>

#include <array>

#include "kernel/cgroup.h"
#include "kernel/cgroup_files.h"

namespace fermata::kernel {
namespace {

// One of the four kinds of throttle: v1's file and v2's key in io.max.
struct ThrottleKind {
  std::vector<BlockThrottle> CgroupLimits::*list;
  const char* v1_file;
  const char* v2_key;
};
constexpr std::array<ThrottleKind, 4> kThrottles = {
    ThrottleKind{&CgroupLimits::block_read_bytes, "blkio.throttle.read_bps_device", "rbps"},
    ThrottleKind{&CgroupLimits::block_write_bytes, "blkio.throttle.write_bps_device", "wbps"},
    ThrottleKind{&CgroupLimits::block_read_operations, "blkio.throttle.read_iops_device", "riops"},
    ThrottleKind{&CgroupLimits::block_write_operations, "blkio.throttle.write_iops_device", "wiops"}};

// Only with the BFQ scheduler does a v1 kernel since 5.0 know weights, in files of another name.
Result<void> set_weights_v1(const std::string& directory, const CgroupLimits& limits) {
  if (!limits.block_weight && !limits.block_leaf_weight && limits.block_weights.empty()) return {};
  const bool plain = has_file(directory, "blkio.weight") || !has_file(directory, "blkio.bfq.weight");
  const char* file = plain ? "blkio.weight" : "blkio.bfq.weight";
  const char* device_file = plain ? "blkio.weight_device" : "blkio.bfq.weight_device";
  if (limits.block_weight) TRY(set_limit(directory, file, std::to_string(*limits.block_weight)));
  if (limits.block_leaf_weight)
    TRY(set_limit(directory, "blkio.leaf_weight", std::to_string(*limits.block_leaf_weight)));
  for (const auto& device : limits.block_weights) {
    const auto line = [&](std::uint16_t weight) {
      return fmt::format("{}:{} {}", device.major, device.minor, weight);
    };
    if (device.weight) TRY(set_limit(directory, device_file, line(*device.weight)));
    if (device.leaf_weight) TRY(set_limit(directory, "blkio.leaf_weight_device", line(*device.leaf_weight)));
  }
  return {};
}

// BFQ takes v1's range as it is; io.weight belongs to the cost model, which is the other scheduler of
// weights.
Result<void> set_weights_v2(const std::string& directory, const CgroupLimits& limits) {
  if (!limits.block_weight && !limits.block_leaf_weight && limits.block_weights.empty()) return {};
  const bool bfq = has_file(directory, "io.bfq.weight");
  const char* file = bfq ? "io.bfq.weight" : "io.weight";
  const auto number = [&](std::uint16_t weight) { return bfq ? weight : io_weight(weight); };
  if (limits.block_leaf_weight)
    return fail(ErrorKind::unsupported, "set the leaf weight of block I/O to {}: cgroup v2 has none",
                *limits.block_leaf_weight);
  if (limits.block_weight) TRY(set_limit(directory, file, std::to_string(number(*limits.block_weight))));
  for (const auto& device : limits.block_weights) {
    if (device.leaf_weight)
      return fail(ErrorKind::unsupported, "set the leaf weight of device {}:{} to {}: cgroup v2 has none",
                  device.major, device.minor, *device.leaf_weight);
    if (device.weight)
      TRY(set_limit(directory, file,
                    fmt::format("{}:{} {}", device.major, device.minor, number(*device.weight))));
  }
  return {};
}

}  // namespace

std::uint64_t io_weight(std::uint16_t weight) {
  return weight <= 10 ? 1 : 1 + (std::uint64_t{weight} - 10) * 9999 / 990;
}

Result<void> Cgroup::apply_block(const CgroupLimits& limits) const {
  const bool v1 = is_v1("blkio");
  const std::string directory = v1 ? directory_of("blkio") : directory_of("io");
  TRY(v1 ? set_weights_v1(directory, limits) : set_weights_v2(directory, limits));
  for (const auto& kind : kThrottles)
    for (const auto& limit : limits.*kind.list) {
      const std::string device = fmt::format("{}:{}", limit.major, limit.minor);
      if (v1) {
        TRY(set_limit(directory, kind.v1_file, fmt::format("{} {}", device, limit.rate)));
      } else {
        const std::string rate = limit.rate == 0 ? "max" : std::to_string(limit.rate);
        TRY(set_limit(directory, "io.max", fmt::format("{} {}={}", device, kind.v2_key, rate)));
      }
    }
  return {};
}

Result<void> Cgroup::apply_hugepages(const CgroupLimits& limits) const {
  const bool v1 = is_v1("hugetlb");
  const std::string directory = directory_of("hugetlb");
  const char* suffix = v1 ? "limit_in_bytes" : "max";
  for (const auto& limit : limits.hugepages) {
    const std::string none = v1 ? "-1" : "max";
    const std::string value = limit.bytes == kNoLimit ? none : std::to_string(limit.bytes);
    TRY(set_limit(directory, fmt::format("hugetlb.{}.{}", limit.page_size, suffix), value));
    // Reservations are counted apart: without this one, mmap(2) may promise what a later fault cannot get,
    // and the process dies of SIGBUS. Linux 5.7.
    const std::string reserved = fmt::format("hugetlb.{}.rsvd.{}", limit.page_size, suffix);
    if (has_file(directory, reserved)) TRY(set_limit(directory, reserved, value));
  }
  return {};
}

Result<void> Cgroup::apply_rdma(const CgroupLimits& limits) const {
  for (const auto& [device, limit] : limits.rdma) {
    std::string line = device;
    if (limit.handles) line += fmt::format(" hca_handle={}", *limit.handles);
    if (limit.objects) line += fmt::format(" hca_object={}", *limit.objects);
    if (line != device) TRY(set_limit(directory_of("rdma"), "rdma.max", line));
  }
  return {};
}

// Version 2 has neither: packets are matched by the group's path there (nft's "socket cgroupv2").
Result<void> Cgroup::apply_network(const CgroupLimits& limits) const {
  if (limits.network_class)
    TRY(set_limit(directory_of("net_cls"), "net_cls.classid", std::to_string(*limits.network_class)));
  for (const auto& [interface, priority] : limits.network_priorities)
    TRY(set_limit(directory_of("net_prio"), "net_prio.ifpriomap", fmt::format("{} {}", interface, priority)));
  return {};
}

}  // namespace fermata::kernel
