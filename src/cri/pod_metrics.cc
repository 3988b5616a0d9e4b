// Metrics of pods and their containers, from what the engine counts.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "cri/rpc_status.h"
#include "cri/send_in_parts.h"
#include "cri/statistics.h"
#include "kernel/cgroup.h"

namespace fermata::cri {
namespace {

MetricSubject subject_of(const KnownPod& pod, const std::string& cgroup) {
  const auto& metadata = pod.entry.metadata();
  return {.container = {},
          .id = "/" + cgroup,
          .image = {},
          .name = {},
          .pod_namespace = metadata.namespace_(),
          .pod = metadata.name()};
}

StoreFigures figures_of_store(const std::string& root) {
  StoreFigures figures;
  struct statvfs system = {};
  if (::statvfs(root.c_str(), &system) == 0) {
    figures.bytes = std::uint64_t{system.f_blocks} * system.f_frsize;
    figures.inodes = system.f_files;
    figures.free_inodes = system.f_ffree;
  }
  struct stat directory = {};
  if (::stat(root.c_str(), &directory) == 0)
    figures.device = fmt::format("{}:{}", major(directory.st_dev), minor(directory.st_dev));
  return figures;
}

Result<ProcessCounts> processes_of(const std::string& cgroup) {
  TRY(const auto mounts, kernel::CgroupMounts::of_host());
  TRY(const auto pids, kernel::Cgroup::open(mounts, cgroup).processes());
  return count_processes(pids);
}

}  // namespace

Result<v1::ContainerMetrics> Statistics::metrics_of(pod::Engine& engine, const KnownPod& pod,
                                                    const KnownContainer& container,
                                                    const StoreFigures& store) {
  MetricSubject subject = subject_of(pod, container.cgroup);
  subject.container = container.entry.metadata().name();
  subject.name = container.entry.id();
  subject.image = container.image;
  TRY(const auto stats, engine.group_stats(container.cgroup, 0, kernel::StatsDepth::all));
  ContainerFigures figures;
  TRY(figures.processes, processes_of(container.cgroup));
  if (!container.upper_path.empty()) figures.written = written_.of(container.upper_path).usage;
  figures.store = store;
  figures.limits = container.limits;
  figures.started = container.started;
  v1::ContainerMetrics metrics;
  metrics.set_container_id(container.entry.id());
  add_group_metrics(subject, stats, now_ns(), *metrics.mutable_metrics());
  add_container_metrics(subject, figures, *metrics.mutable_metrics());
  return metrics;
}

Result<v1::PodSandboxMetrics> Statistics::metrics_of(pod::Engine& engine, const KnownPod& pod) {
  const MetricSubject subject = subject_of(pod, pod.cgroup);
  TRY(const auto stats, engine.group_stats(pod.cgroup, pod.network_pid, kernel::StatsDepth::all));
  v1::PodSandboxMetrics metrics;
  metrics.set_pod_sandbox_id(pod.entry.id());
  add_group_metrics(subject, stats, now_ns(), *metrics.mutable_metrics());
  add_network_metrics(subject, stats, *metrics.mutable_metrics());
  const StoreFigures store = figures_of_store(engines_.options().root);
  for (const KnownContainer& container : pod.containers) {
    if (!runs(container)) continue;
    auto of_container = metrics_of(engine, pod, container, store);
    if (!of_container && is_gone(of_container.error())) continue;
    if (!of_container) return tl::unexpected(std::move(of_container.error()));
    *metrics.add_container_metrics() = std::move(*of_container);
  }
  return metrics;
}

Result<std::vector<v1::PodSandboxMetrics>> Statistics::list_metrics() {
  TRY(const auto pods, inventory_.pods());
  forget_others(pods);
  TRY(auto engine, engines_.lease());
  std::vector<v1::PodSandboxMetrics> found;
  for (const auto& pod : pods) {
    if (!is_ready(*pod)) continue;
    auto metrics = metrics_of(*engine, *pod);
    if (!metrics && is_gone(metrics.error())) continue;
    if (!metrics) return tl::unexpected(std::move(metrics.error()));
    found.push_back(std::move(*metrics));
  }
  return found;
}

grpc::Status Statistics::ListMetricDescriptors(grpc::ServerContext&, const v1::ListMetricDescriptorsRequest&,
                                               v1::ListMetricDescriptorsResponse& response) {
  response = metric_descriptors();
  return grpc::Status::OK;
}

grpc::Status Statistics::ListPodSandboxMetrics(grpc::ServerContext&, const v1::ListPodSandboxMetricsRequest&,
                                               v1::ListPodSandboxMetricsResponse& response) {
  RPC_TRY(auto found, list_metrics());
  for (v1::PodSandboxMetrics& metrics : found) *response.add_pod_metrics() = std::move(metrics);
  return grpc::Status::OK;
}

grpc::Status Statistics::StreamPodSandboxMetrics(
    grpc::ServerContext&, const v1::StreamPodSandboxMetricsRequest&,
    grpc::ServerWriter<v1::StreamPodSandboxMetricsResponse>& writer) {
  RPC_TRY(auto found, list_metrics());
  return send_in_parts(writer, std::move(found),
                       [](v1::StreamPodSandboxMetricsResponse& part, v1::PodSandboxMetrics metrics) {
                         *part.add_pod_sandbox_metrics() = std::move(metrics);
                       });
}

}  // namespace fermata::cri
