#include "pod/stats.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <ctime>

#include "pod/engine_impl.h"

namespace fermata::pod {
namespace {

std::int64_t time_since_boot() {
  timespec now = {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

std::uint64_t machine_memory() {
  struct sysinfo info = {};
  return ::sysinfo(&info) == 0 ? static_cast<std::uint64_t>(info.totalram) * info.mem_unit : 0;
}

// `pid`: a process in the network; 0: none.
std::vector<kernel::InterfaceCounters> interfaces_of(int pid) {
  if (pid == 0) return {};
  auto counters = kernel::read_interface_counters(pid);
  if (!counters) return {};  // it has ended meanwhile
  std::erase_if(*counters, [](const auto& one) { return one.name == "lo"; });
  return std::move(*counters);
}

// The host's network is not the pod's to be counted.
int network_of(const PodRow& pod, int pid) { return pod.config.net == "host" ? 0 : pid; }

Result<ContainerStats> read_stats(const kernel::Cgroup& group, int network_pid, kernel::StatsDepth depth,
                                  ContainerStats stats) {
  auto figures = group.stats(depth);
  if (!figures && figures.error().kind() == ErrorKind::not_found) return stats;  // it has ended meanwhile
  if (!figures) return tl::unexpected(std::move(figures.error()));
  stats.running = true;
  stats.time = time_since_boot();
  stats.group = std::move(*figures);
  stats.memory_limit = machine_memory();
  if (stats.group.memory && stats.group.memory->memory.limit)
    stats.memory_limit = std::min(stats.memory_limit, *stats.group.memory->memory.limit);
  stats.interfaces = interfaces_of(network_pid);
  return stats;
}

}  // namespace

Result<ContainerStats> Engine::Impl::stats(const std::string& reference) {
  TRY(const auto container, find(reference));
  ContainerStats stats{.id = container.id, .name = container.name, .group = {}, .interfaces = {}};
  TRY(const auto live, reach(container.pod));
  const auto* process = live ? live->find(container.id) : nullptr;
  if (process == nullptr || process->exit_code >= 0) return stats;
  TRY(const PodRow pod, store().pod(container.pod));
  TRY(const auto group, group_of(pod, container.id));
  return read_stats(group, network_of(pod, process->pid), kernel::StatsDepth::usage, std::move(stats));
}

Result<ContainerStats> Engine::Impl::group_stats(const std::string& cgroup, int network_pid,
                                                 kernel::StatsDepth depth) {
  TRY(const auto* mounts, cgroup_mounts());
  return read_stats(kernel::Cgroup::open(*mounts, cgroup), network_pid, depth, ContainerStats());
}

}  // namespace fermata::pod
