// What a control group used: the figures of its controllers in one shape for both versions. Absent
// controllers and what the kernel does not count are nullopt or empty. kNoLimit stands for "no limit". Plain
// values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/cgroup_limits.h"

namespace fermata::kernel {

// Pressure stall information, proc_pressure(5). Shares of time in percent, `total` in microseconds.
struct PressureLine {
  double average_10 = 0, average_60 = 0, average_300 = 0;
  std::uint64_t total = 0;
};
struct Pressure {
  PressureLine some, full;
};

struct CpuStats {
  std::uint64_t usage = 0;  // nanoseconds, as all times here
  std::optional<std::uint64_t> user, system;
  std::vector<std::uint64_t> per_cpu, per_cpu_user, per_cpu_system;  // v1
  // Absent where nothing can be throttled.
  std::optional<std::uint64_t> periods, throttled_periods, throttled_time;
  std::optional<std::uint64_t> bursts, burst_time;
};

// Bytes.
struct MemoryCounter {
  std::uint64_t usage = 0;
  std::optional<std::uint64_t> peak, limit;
  std::optional<std::uint64_t> failures;  // how often the limit was hit
};

struct MemoryStats {
  MemoryCounter memory;
  std::optional<MemoryCounter> memory_and_swap;  // together, v1's count
  std::optional<std::uint64_t> swap;             // alone
  std::optional<MemoryCounter> kernel, kernel_tcp;
  std::uint64_t cache = 0;
  std::uint64_t working_set = 0;                // usage without inactive_file, as Kubernetes counts
  std::map<std::string, std::uint64_t> raw;     // memory.stat
  std::map<std::string, std::uint64_t> events;  // v2's memory.events; v1: oom_kill alone
};

struct PidsStats {
  std::uint64_t current = 0;
  std::optional<std::uint64_t> limit;
};

// The lists and flags of a cpuset. v1's flags by file name, "cpu_exclusive".
struct CpusetStats {
  std::string cpus, mems;  // "0-3,7"
  std::map<std::string, std::int64_t> flags;
};

// One figure of a device: `operation` is "Read", "Write", "Discard", ...; "" where the figure has none.
struct BlockEntry {
  std::uint64_t major = 0, minor = 0;
  std::string operation;
  std::uint64_t value = 0;
};
// v2 has the first two.
struct BlockStats {
  std::vector<BlockEntry> service_bytes, serviced;
  std::vector<BlockEntry> queued, service_time, wait_time, merged, time, sectors;
};

// Bytes.
struct HugepageStats {
  std::uint64_t usage = 0;
  std::optional<std::uint64_t> peak, limit, failures;
};

struct RdmaStats {
  std::uint64_t handles = 0, objects = 0;
  std::uint64_t handle_limit = kNoLimit, object_limit = kNoLimit;
};

// Each figure is a file of its own, some fifty of them with v1.
enum class StatsDepth {
  usage,  // processor, memory with swap, processes, block devices, pressure
  all,    // also each processor alone, the kernel's own memory, cpuset, huge pages, RDMA
};

struct CgroupStats {
  std::optional<CpuStats> cpu;
  std::optional<MemoryStats> memory;
  std::optional<PidsStats> pids;
  std::optional<CpusetStats> cpuset;
  std::optional<BlockStats> block;
  std::map<std::string, HugepageStats> hugepages;  // by page size, "2MB"
  std::map<std::string, RdmaStats> rdma;           // by device
  // The kernel keeps these for the v2 tree, on hybrid hosts too. 4.20.
  std::optional<Pressure> cpu_pressure, memory_pressure, io_pressure;
};

// Readers of the kernel's formats; what they do not understand is left out. Pure.
// "key number" lines.
std::map<std::string, std::uint64_t> parse_keyed_numbers(std::string_view text);
// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", the same for "full". nullopt without a "some" line.
std::optional<Pressure> parse_pressure(std::string_view text);
// v1's "8:0 Read 4096" or "8:0 6792" lines; the totals are left out.
std::vector<BlockEntry> parse_block_entries(std::string_view text);
// v2's io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6".
BlockStats parse_io_stat(std::string_view text);
// rdma.current and rdma.max: "mlx4_0 hca_handle=2 hca_object=max".
std::map<std::string, RdmaStats> parse_rdma(std::string_view current, std::string_view limits);

}  // namespace fermata::kernel
