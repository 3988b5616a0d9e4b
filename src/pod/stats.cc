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

std::vector<kernel::InterfaceCounters> interfaces_of(const PodRow& pod, int pid) {
  if (pod.config.net == "host") return {};
  auto counters = kernel::read_interface_counters(pid);
  if (!counters) return {};  // it has ended meanwhile
  std::erase_if(*counters, [](const auto& one) { return one.name == "lo"; });
  return std::move(*counters);
}

// `pid`: a process in the pod's network.
Result<ContainerStats> read_stats(const kernel::Cgroup& group, const PodRow& pod, int pid,
                                  ContainerStats stats) {
  auto figures = group.stats();
  if (!figures && figures.error().kind() == ErrorKind::not_found) return stats;  // it has ended meanwhile
  if (!figures) return tl::unexpected(std::move(figures.error()));
  stats.running = true;
  stats.time = time_since_boot();
  stats.group = std::move(*figures);
  stats.memory_limit = machine_memory();
  if (stats.group.memory && stats.group.memory->memory.limit)
    stats.memory_limit = std::min(stats.memory_limit, *stats.group.memory->memory.limit);
  stats.interfaces = interfaces_of(pod, pid);
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
  return read_stats(group, pod, process->pid, std::move(stats));
}

Result<ContainerStats> Engine::Impl::pod_stats(const std::string& reference) {
  TRY(const PodRow pod, find_pod(reference));
  ContainerStats stats{.id = pod.id, .name = pod.name, .group = {}, .interfaces = {}};
  TRY(const auto live, reach(pod.id));
  const auto* infra = live ? live->find(pod.config.infra) : nullptr;
  if (infra == nullptr || infra->exit_code >= 0) return stats;
  TRY(const auto* mounts, cgroup_mounts());
  return read_stats(kernel::Cgroup::open(*mounts, pod_cgroup(pod)), pod, infra->pid, std::move(stats));
}

}  // namespace fermata::pod
