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

MetricSubject subject_of(const Pod& pod, const std::string& cgroup) {
  const auto& metadata = pod.request.config().metadata();
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

Result<v1::ContainerMetrics> Statistics::metrics_of(pod::Engine& engine, const Pod& pod, const Member& member,
                                                    const StoreFigures& store) {
  MetricSubject subject = subject_of(pod, member.info.cgroup);
  subject.container = member.request.config().metadata().name();
  subject.name = member.info.id;
  const v1::ImageSpec& image = member.request.config().image();
  subject.image = image.user_specified_image().empty() ? image.image() : image.user_specified_image();
  TRY(const auto stats, engine.stats(member.info.id));
  ContainerFigures figures;
  TRY(figures.processes, processes_of(member.info.cgroup));
  if (!member.info.upper_path.empty()) figures.written = written_.of(member.info.upper_path).usage;
  figures.store = store;
  figures.limits = member.info.config.resources;
  figures.started = member.info.started;
  v1::ContainerMetrics metrics;
  metrics.set_container_id(member.info.id);
  add_group_metrics(subject, stats, now_ns(), *metrics.mutable_metrics());
  add_container_metrics(subject, figures, *metrics.mutable_metrics());
  return metrics;
}

Result<v1::PodSandboxMetrics> Statistics::metrics_of(pod::Engine& engine, const Pod& pod,
                                                     const std::vector<Member>& members) {
  const MetricSubject subject = subject_of(pod, pod.info.cgroup);
  TRY(const auto stats, engine.pod_stats(pod.info.id));
  v1::PodSandboxMetrics metrics;
  metrics.set_pod_sandbox_id(pod.info.id);
  add_group_metrics(subject, stats, now_ns(), *metrics.mutable_metrics());
  add_network_metrics(subject, stats, *metrics.mutable_metrics());
  const StoreFigures store = figures_of_store(engines_.options().root);
  for (const Member& member : members) {
    if (member.info.pod_id != pod.info.id || member.info.state != pod::ContainerState::running) continue;
    auto of_member = metrics_of(engine, pod, member, store);
    if (!of_member && is_gone(of_member.error())) continue;
    if (!of_member) return tl::unexpected(std::move(of_member.error()));
    *metrics.add_container_metrics() = std::move(*of_member);
  }
  return metrics;
}

Result<std::vector<v1::PodSandboxMetrics>> Statistics::list_metrics() {
  TRY(auto engine, engines_.lease());
  TRY(const auto pods, all_pods(*engine));
  TRY(const auto members, members_of(*engine, ""));
  forget_others(pods, members);
  std::vector<v1::PodSandboxMetrics> found;
  for (const Pod& pod : pods) {
    if (!pod.info.ready) continue;
    auto metrics = metrics_of(*engine, pod, members);
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
