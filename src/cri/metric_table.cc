#include "cri/metric_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include "cri/usage.h"

namespace fermata::cri {
namespace {

using Metrics = google::protobuf::RepeatedPtrField<v1::Metric>;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kMicroseconds = 1'000'000;  // in a second

struct Row {
  std::string_view name;
  v1::MetricType type;
  std::string_view help;
  std::array<std::string_view, 4> labels = {};  // beyond those that all have
};

constexpr std::array<std::string_view, 6> kCommonLabels = {"container", "id",        "image",
                                                           "name",      "namespace", "pod"};

constexpr auto kRows = std::to_array<Row>({
    {"container_blkio_device_usage_total",
     v1::COUNTER,
     "Bytes moved to and from a block device.",
     {"device", "major", "minor", "operation"}},
    {"container_cpu_cfs_periods_total", v1::COUNTER, "Periods in which processor time was dealt out."},
    {"container_cpu_cfs_throttled_periods_total", v1::COUNTER, "Periods in which it was used up."},
    {"container_cpu_cfs_throttled_seconds_total", v1::COUNTER, "Seconds of waiting for the next period."},
    {"container_cpu_system_seconds_total", v1::COUNTER, "Seconds of processor time in the kernel."},
    {"container_cpu_usage_seconds_total", v1::COUNTER, "Seconds of processor time."},
    {"container_cpu_user_seconds_total", v1::COUNTER, "Seconds of processor time outside of the kernel."},
    {"container_file_descriptors", v1::GAUGE, "Open file descriptors."},
    {"container_fs_inodes_free", v1::GAUGE, "Free inodes of the file system it writes to.", {"device"}},
    {"container_fs_inodes_total", v1::GAUGE, "Inodes of the file system it writes to.", {"device"}},
    {"container_fs_limit_bytes", v1::GAUGE, "Bytes of the file system it writes to.", {"device"}},
    {"container_fs_reads_bytes_total", v1::COUNTER, "Bytes read from a block device.", {"device"}},
    {"container_fs_reads_total", v1::COUNTER, "Reads from a block device.", {"device"}},
    {"container_fs_usage_bytes", v1::GAUGE, "Bytes that it has written.", {"device"}},
    {"container_fs_writes_bytes_total", v1::COUNTER, "Bytes written to a block device.", {"device"}},
    {"container_fs_writes_total", v1::COUNTER, "Writes to a block device.", {"device"}},
    {"container_hugetlb_max_usage_bytes", v1::GAUGE, "The most huge pages ever in use.", {"pagesize"}},
    {"container_hugetlb_usage_bytes", v1::GAUGE, "Huge pages in use.", {"pagesize"}},
    {"container_last_seen", v1::GAUGE, "When it was there last; seconds since 1970."},
    {"container_memory_cache", v1::GAUGE, "Bytes of the page cache."},
    {"container_memory_failcnt", v1::COUNTER, "How often memory was at its limit."},
    {"container_memory_failures_total", v1::COUNTER, "Page faults.", {"failure_type", "scope"}},
    {"container_memory_kernel_usage", v1::GAUGE, "Bytes of memory that the kernel holds for it."},
    {"container_memory_mapped_file", v1::GAUGE, "Bytes of mapped files."},
    {"container_memory_max_usage_bytes", v1::GAUGE, "The most memory ever in use."},
    {"container_memory_rss", v1::GAUGE, "Bytes of anonymous memory."},
    {"container_memory_swap", v1::GAUGE, "Bytes of swap in use."},
    {"container_memory_usage_bytes", v1::GAUGE, "Bytes of memory in use, the page cache among it."},
    {"container_memory_working_set_bytes", v1::GAUGE, "Bytes of memory that could not be taken easily."},
    {"container_network_receive_bytes_total", v1::COUNTER, "Bytes received.", {"interface"}},
    {"container_network_receive_errors_total", v1::COUNTER, "Errors of receiving.", {"interface"}},
    {"container_network_receive_packets_dropped_total",
     v1::COUNTER,
     "Received packets that were dropped.",
     {"interface"}},
    {"container_network_receive_packets_total", v1::COUNTER, "Packets received.", {"interface"}},
    {"container_network_transmit_bytes_total", v1::COUNTER, "Bytes sent.", {"interface"}},
    {"container_network_transmit_errors_total", v1::COUNTER, "Errors of sending.", {"interface"}},
    {"container_network_transmit_packets_dropped_total",
     v1::COUNTER,
     "Packets that were dropped unsent.",
     {"interface"}},
    {"container_network_transmit_packets_total", v1::COUNTER, "Packets sent.", {"interface"}},
    {"container_oom_events_total", v1::COUNTER, "Processes killed for want of memory."},
    {"container_pressure_cpu_stalled_seconds_total", v1::COUNTER,
     "Seconds in which all tasks waited for a processor."},
    {"container_pressure_cpu_waiting_seconds_total", v1::COUNTER,
     "Seconds in which a task waited for a processor."},
    {"container_pressure_io_stalled_seconds_total", v1::COUNTER,
     "Seconds in which all tasks waited for block devices."},
    {"container_pressure_io_waiting_seconds_total", v1::COUNTER,
     "Seconds in which a task waited for block devices."},
    {"container_pressure_memory_stalled_seconds_total", v1::COUNTER,
     "Seconds in which all tasks waited for memory."},
    {"container_pressure_memory_waiting_seconds_total", v1::COUNTER,
     "Seconds in which a task waited for memory."},
    {"container_processes", v1::GAUGE, "Processes."},
    {"container_sockets", v1::GAUGE, "Open sockets."},
    {"container_spec_cpu_period", v1::GAUGE, "The period of its quota; microseconds."},
    {"container_spec_cpu_quota", v1::GAUGE, "Its quota of processor time in each period; microseconds."},
    {"container_spec_cpu_shares", v1::GAUGE, "Its share of processor time against others."},
    {"container_spec_memory_limit_bytes", v1::GAUGE, "Its limit of memory; 0: none."},
    {"container_spec_memory_reservation_limit_bytes", v1::GAUGE,
     "Memory that it keeps when others want it; 0: none."},
    {"container_spec_memory_swap_limit_bytes", v1::GAUGE, "Its limit of memory and swap together; 0: none."},
    {"container_start_time_seconds", v1::GAUGE, "When it was started; seconds since 1970."},
    {"container_threads", v1::GAUGE, "Threads."},
    {"container_threads_max", v1::GAUGE, "Its limit of threads; 0: none."},
    {"container_ulimits_soft", v1::GAUGE, "A soft limit of its first process.", {"ulimit"}},
});

const Row& row_of(std::string_view name) {
  const auto found =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.name == name; });
  assert(found != kRows.end());
  return *found;
}

// Adds metrics of one subject.
class Adder {
 public:
  Adder(const MetricSubject& subject, Metrics& metrics) : subject_(subject), metrics_(metrics) {}

  // `labels`: of the row's own, in its order.
  void operator()(std::string_view name, std::uint64_t value,
                  std::initializer_list<std::string> labels = {}) {
    v1::Metric& metric = *metrics_.Add();
    metric.set_name(std::string(name));
    metric.set_metric_type(row_of(name).type);
    for (const std::string* label : {&subject_.container, &subject_.id, &subject_.image, &subject_.name,
                                     &subject_.pod_namespace, &subject_.pod})
      metric.add_label_values(*label);
    for (const std::string& label : labels) metric.add_label_values(label);
    metric.mutable_value()->set_value(value);
  }

 private:
  const MetricSubject& subject_;
  Metrics& metrics_;
};

void add_cpu(const kernel::CpuStats& cpu, Adder& add) {
  add("container_cpu_cfs_periods_total", cpu.periods.value_or(0));
  add("container_cpu_cfs_throttled_periods_total", cpu.throttled_periods.value_or(0));
  add("container_cpu_cfs_throttled_seconds_total", cpu.throttled_time.value_or(0) / kSecond);
  add("container_cpu_system_seconds_total", cpu.system.value_or(0) / kSecond);
  add("container_cpu_usage_seconds_total", cpu.usage / kSecond);
  add("container_cpu_user_seconds_total", cpu.user.value_or(0) / kSecond);
}

std::uint64_t kernel_memory(const kernel::MemoryStats& memory) {
  return memory.kernel ? memory.kernel->usage : memory_figure(memory, "kernel");
}

std::uint64_t event_of(const kernel::MemoryStats& memory, const std::string& name) {
  const auto found = memory.events.find(name);
  return found == memory.events.end() ? 0 : found->second;
}

void add_memory(const kernel::MemoryStats& memory, Adder& add) {
  const bool v2 = memory.raw.contains("file_mapped");
  add("container_memory_cache", memory.cache);
  add("container_memory_failcnt", memory.memory.failures.value_or(event_of(memory, "max")));
  for (const char* type : {"pgfault", "pgmajfault"}) {
    const auto own = memory.raw.find(type);
    add("container_memory_failures_total", own == memory.raw.end() ? 0 : own->second, {type, "container"});
    add("container_memory_failures_total", memory_figure(memory, type), {type, "hierarchy"});
  }
  add("container_memory_kernel_usage", kernel_memory(memory));
  add("container_memory_mapped_file", memory_figure(memory, v2 ? "file_mapped" : "mapped_file"));
  add("container_memory_max_usage_bytes", memory.memory.peak.value_or(memory.memory.usage));
  add("container_memory_rss", resident_memory(memory));
  add("container_memory_swap", memory.swap.value_or(0));
  add("container_memory_usage_bytes", memory.memory.usage);
  add("container_memory_working_set_bytes", memory.working_set);
  add("container_oom_events_total", event_of(memory, "oom_kill"));
}

// Of one operation on each device.
void add_operations(const std::vector<kernel::BlockEntry>& entries, std::string_view operation,
                    std::string_view name, Adder& add) {
  std::map<std::string, std::uint64_t> sums;
  for (const kernel::BlockEntry& entry : entries)
    if (entry.operation == operation) sums[fmt::format("{}:{}", entry.major, entry.minor)] += entry.value;
  for (const auto& [device, sum] : sums) add(name, sum, {device});
}

void add_block(const kernel::BlockStats& block, Adder& add) {
  for (const kernel::BlockEntry& entry : block.service_bytes)
    add("container_blkio_device_usage_total", entry.value,
        {fmt::format("{}:{}", entry.major, entry.minor), std::to_string(entry.major),
         std::to_string(entry.minor), entry.operation});
  add_operations(block.service_bytes, "Read", "container_fs_reads_bytes_total", add);
  add_operations(block.serviced, "Read", "container_fs_reads_total", add);
  add_operations(block.service_bytes, "Write", "container_fs_writes_bytes_total", add);
  add_operations(block.serviced, "Write", "container_fs_writes_total", add);
}

void add_pressure(const std::optional<kernel::Pressure>& pressure, std::string_view stalled,
                  std::string_view waiting, Adder& add) {
  if (!pressure) return;
  add(stalled, pressure->full.total / kMicroseconds);
  add(waiting, pressure->some.total / kMicroseconds);
}

}  // namespace

v1::ListMetricDescriptorsResponse metric_descriptors() {
  v1::ListMetricDescriptorsResponse response;
  for (const Row& row : kRows) {
    v1::MetricDescriptor& descriptor = *response.add_descriptors();
    descriptor.set_name(std::string(row.name));
    descriptor.set_help(std::string(row.help));
    for (const std::string_view label : kCommonLabels) descriptor.add_label_keys(std::string(label));
    for (const std::string_view label : row.labels)
      if (!label.empty()) descriptor.add_label_keys(std::string(label));
  }
  return response;
}

void add_group_metrics(const MetricSubject& subject, const pod::ContainerStats& stats, std::int64_t now,
                       Metrics& metrics) {
  Adder add(subject, metrics);
  const kernel::CgroupStats& group = stats.group;
  if (group.cpu) add_cpu(*group.cpu, add);
  if (group.memory) add_memory(*group.memory, add);
  if (group.block) add_block(*group.block, add);
  for (const auto& [page_size, pages] : group.hugepages) {
    add("container_hugetlb_max_usage_bytes", pages.peak.value_or(pages.usage), {page_size});
    add("container_hugetlb_usage_bytes", pages.usage, {page_size});
  }
  add_pressure(group.cpu_pressure, "container_pressure_cpu_stalled_seconds_total",
               "container_pressure_cpu_waiting_seconds_total", add);
  add_pressure(group.io_pressure, "container_pressure_io_stalled_seconds_total",
               "container_pressure_io_waiting_seconds_total", add);
  add_pressure(group.memory_pressure, "container_pressure_memory_stalled_seconds_total",
               "container_pressure_memory_waiting_seconds_total", add);
  if (group.pids) {
    const std::uint64_t limit = group.pids->limit.value_or(kernel::kNoLimit);
    add("container_threads", group.pids->current);
    add("container_threads_max", limit == kernel::kNoLimit ? 0 : limit);
  }
  add("container_last_seen", static_cast<std::uint64_t>(now) / kSecond);
}

void add_network_metrics(const MetricSubject& subject, const pod::ContainerStats& stats, Metrics& metrics) {
  Adder add(subject, metrics);
  for (const kernel::InterfaceCounters& counters : stats.interfaces) {
    const std::string& name = counters.name;
    add("container_network_receive_bytes_total", counters.rx_bytes, {name});
    add("container_network_receive_errors_total", counters.rx_errors, {name});
    add("container_network_receive_packets_dropped_total", counters.rx_dropped, {name});
    add("container_network_receive_packets_total", counters.rx_packets, {name});
    add("container_network_transmit_bytes_total", counters.tx_bytes, {name});
    add("container_network_transmit_errors_total", counters.tx_errors, {name});
    add("container_network_transmit_packets_dropped_total", counters.tx_dropped, {name});
    add("container_network_transmit_packets_total", counters.tx_packets, {name});
  }
}

void add_container_metrics(const MetricSubject& subject, const ContainerFigures& figures, Metrics& metrics) {
  Adder add(subject, metrics);
  const ProcessCounts& processes = figures.processes;
  add("container_processes", processes.processes);
  add("container_file_descriptors", processes.descriptors);
  add("container_sockets", processes.sockets);
  add("container_ulimits_soft", processes.soft_descriptor_limit, {"max_open_files"});
  const StoreFigures& store = figures.store;
  add("container_fs_inodes_free", store.free_inodes, {store.device});
  add("container_fs_inodes_total", store.inodes, {store.device});
  add("container_fs_limit_bytes", store.bytes, {store.device});
  add("container_fs_usage_bytes", figures.written.bytes, {store.device});
  const pod::Resources& limits = figures.limits;
  constexpr std::uint64_t kPeriod = 100000, kShares = 1024;  // the kernel's own
  add("container_spec_cpu_period", limits.cpu_period.value_or(kPeriod));
  if (limits.cpu_quota.value_or(0) > 0)
    add("container_spec_cpu_quota", static_cast<std::uint64_t>(*limits.cpu_quota));
  add("container_spec_cpu_shares", limits.cpu_shares.value_or(kShares));
  add("container_spec_memory_limit_bytes", limits.memory.value_or(0));
  add("container_spec_memory_reservation_limit_bytes", limits.memory_reservation.value_or(0));
  add("container_spec_memory_swap_limit_bytes",
      static_cast<std::uint64_t>(std::max<std::int64_t>(limits.memory_swap.value_or(0), 0)));
  add("container_start_time_seconds", static_cast<std::uint64_t>(figures.started) / kSecond);
}

}  // namespace fermata::cri
