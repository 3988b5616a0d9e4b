// What a control group may be limited to, in the units of the OCI runtime specification: version 1's, where
// the versions differ. Cgroup::apply converts them to what the host's controllers take.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fermata::kernel {

// A rule of the device controller. 'a' type with -1 numbers means every device.
struct DeviceRule {
  bool allow = false;
  char type = 'a';          // 'a', 'b', 'c', 'u' (the same as 'c')
  std::int64_t major = -1;  // -1: any
  std::int64_t minor = -1;
  std::string access = "rwm";
};

struct BlockWeight {
  std::int64_t major = 0, minor = 0;
  std::optional<std::uint16_t> weight, leaf_weight;  // 10..1000
};

struct BlockThrottle {
  std::int64_t major = 0, minor = 0;
  std::uint64_t rate = 0;  // bytes or operations a second; 0: no limit
};

struct HugepageLimit {
  std::string page_size;    // "2MB"
  std::uint64_t bytes = 0;  // kNoLimit: none
};

struct RdmaLimit {
  std::optional<std::uint32_t> handles, objects;
};

struct InterfacePriority {
  std::string interface;
  std::uint32_t priority = 0;
};

inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

// nullopt and empty: leave as it is, which in a new group is no limit.
struct CgroupLimits {
  // Memory, in bytes; kNoLimit takes a limit away.
  std::optional<std::uint64_t> memory_max;
  std::optional<std::uint64_t> memory_swap_max;  // memory and swap together
  std::optional<std::uint64_t> memory_reservation;
  std::optional<std::uint64_t> memory_kernel_max, memory_kernel_tcp_max;  // v1
  std::optional<std::uint64_t> memory_swappiness;                         // v1; 0..100
  std::optional<bool> disable_oom_killer;                                 // v1
  std::optional<bool> oom_group;     // v2: an OOM kill takes the whole group; memory.oom.group, 4.19
  bool check_before_update = false;  // refuse a memory limit below what is in use

  // Processor time, in microseconds.
  std::optional<std::uint64_t> cpu_shares;              // 2..262144, 1024 the default
  std::optional<std::int64_t> cpu_quota;                // for each period; -1: no limit
  std::optional<std::uint64_t> cpu_period;              // the kernel's default: 100000
  std::optional<std::uint64_t> cpu_burst;               // what of the quota may be saved; 5.14
  std::optional<std::int64_t> cpu_idle;                 // 1: runs when nothing else does; 5.15
  std::optional<std::int64_t> cpu_realtime_runtime;     // v1
  std::optional<std::uint64_t> cpu_realtime_period;     // v1
  std::optional<std::string> cpuset_cpus, cpuset_mems;  // lists such as "0-3,7"

  std::optional<std::int64_t> pids_max;  // -1: no limit

  std::optional<std::uint16_t> block_weight, block_leaf_weight;  // 10..1000; leaf weights: v1
  std::vector<BlockWeight> block_weights;
  std::vector<BlockThrottle> block_read_bytes, block_write_bytes, block_read_operations,
      block_write_operations;

  std::vector<HugepageLimit> hugepages;
  std::map<std::string, RdmaLimit> rdma;              // by device
  std::optional<std::uint32_t> network_class;         // v1's net_cls
  std::vector<InterfacePriority> network_priorities;  // v1's net_prio
  std::map<std::string, std::string> unified;         // v2: files and their values, set last
  std::vector<DeviceRule> devices;  // in order; the last match wins; empty: no device control
};

// The cpu.weight (1..10000) of v1's shares. The curve that the OCI runtimes agreed on in 2025: both ends
// meet, and so do the defaults of the two versions, 1024 and 100.
std::uint64_t weight_of_shares(std::uint64_t shares);
// io.weight (1..10000) of v1's blkio weight (10..1000), linear.
std::uint64_t io_weight(std::uint16_t weight);

}  // namespace fermata::kernel
