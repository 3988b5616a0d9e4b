#include "cri/statistics.h"

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "cri/rpc_status.h"
#include "cri/send_in_parts.h"
#include "cri/statuses.h"
#include "cri/usage.h"

namespace fermata::cri {
namespace {

v1::ContainerAttributes attributes_of(const Member& member) {
  v1::ContainerAttributes attributes;
  attributes.set_id(member.info.id);
  *attributes.mutable_metadata() = member.request.config().metadata();
  *attributes.mutable_labels() = member.request.config().labels();
  *attributes.mutable_annotations() = member.request.config().annotations();
  return attributes;
}

v1::PodSandboxAttributes attributes_of(const Pod& pod) {
  v1::PodSandboxAttributes attributes;
  attributes.set_id(pod.info.id);
  *attributes.mutable_metadata() = pod.request.config().metadata();
  *attributes.mutable_labels() = pod.request.config().labels();
  *attributes.mutable_annotations() = pod.request.config().annotations();
  return attributes;
}

bool runs(const Member& member) { return member.info.state == pod::ContainerState::running; }

}  // namespace

v1::CpuUsage Statistics::processor_of(const std::string& id, const pod::ContainerStats& stats,
                                      std::int64_t started, std::int64_t now) {
  std::optional<std::uint64_t> rate;
  // Of the two clocks only the difference counts: a clock that is set later does no harm but to the first.
  if (stats.group.cpu)
    rate = rates_.add(id, stats.group.cpu->usage, stats.time,
                      stats.time - std::max<std::int64_t>(now - started, 0));
  return cpu_usage(stats.group, now, rate);
}

Result<v1::ContainerStats> Statistics::stats_of(pod::Engine& engine, const Member& member) {
  v1::ContainerStats told;
  *told.mutable_attributes() = attributes_of(member);
  TRY(const auto stats, engine.stats(member.info.id));
  const std::int64_t now = now_ns();
  if (stats.running) {
    *told.mutable_cpu() = processor_of(member.info.id, stats, member.info.started, now);
    *told.mutable_memory() = memory_usage(stats, now);
    *told.mutable_swap() = swap_usage(stats.group, now);
    *told.mutable_io() = io_usage(stats.group, now);
  }
  if (!member.info.upper_path.empty()) {
    const auto written = written_.of(member.info.upper_path);
    *told.mutable_writable_layer() = layer_usage(written.usage, engines_.options().root, written.time);
  }
  return told;
}

Result<v1::PodSandboxStats> Statistics::stats_of(pod::Engine& engine, const Pod& pod,
                                                 const std::vector<Member>& members) {
  v1::PodSandboxStats told;
  *told.mutable_attributes() = attributes_of(pod);
  TRY(const auto stats, engine.pod_stats(pod.info.id));
  auto* used = told.mutable_linux();
  if (stats.running) {
    const std::int64_t now = now_ns();
    *used->mutable_cpu() = processor_of(pod.info.id, stats, pod.info.infra.started, now);
    *used->mutable_memory() = memory_usage(stats, now);
    if (auto network = network_usage(stats.interfaces, now)) *used->mutable_network() = std::move(*network);
    *used->mutable_io() = io_usage(stats.group, now);
    used->mutable_process()->set_timestamp(now);
    if (stats.group.pids)
      used->mutable_process()->mutable_process_count()->set_value(stats.group.pids->current);
  }
  for (const Member& member : members) {
    if (member.info.pod_id != pod.info.id || !runs(member)) continue;
    auto of_member = stats_of(engine, member);
    if (!of_member && is_gone(of_member.error())) continue;
    if (!of_member) return tl::unexpected(std::move(of_member.error()));
    *used->add_containers() = std::move(*of_member);
  }
  return told;
}

void Statistics::forget_others(const std::vector<Pod>& pods, const std::vector<Member>& members) {
  std::set<std::string> ids, directories;
  for (const Pod& pod : pods) ids.insert(pod.info.id);
  for (const Member& member : members) {
    ids.insert(member.info.id);
    directories.insert(member.info.upper_path);
  }
  rates_.keep(ids);
  written_.keep(directories);
}

grpc::Status Statistics::ContainerStats(grpc::ServerContext&, const v1::ContainerStatsRequest& request,
                                        v1::ContainerStatsResponse& response) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(const Member asked, member(*engine, request.container_id()));
  RPC_TRY(*response.mutable_stats(), stats_of(*engine, asked));
  return grpc::Status::OK;
}

Result<std::vector<v1::ContainerStats>> Statistics::list(const v1::ContainerStatsFilter& filter) {
  TRY(auto engine, engines_.lease());
  TRY(const auto members, members_of(*engine, ""));
  std::vector<v1::ContainerStats> found;
  for (const Member& member : members) {
    const bool wanted = runs(member) && member.info.id.starts_with(filter.id()) &&
                        member.info.pod_id.starts_with(filter.pod_sandbox_id()) &&
                        has_labels(member.request.config().labels(), filter.label_selector());
    if (!wanted) continue;
    auto stats = stats_of(*engine, member);
    if (!stats && is_gone(stats.error())) continue;
    if (!stats) return tl::unexpected(std::move(stats.error()));
    found.push_back(std::move(*stats));
  }
  return found;
}

grpc::Status Statistics::ListContainerStats(grpc::ServerContext&,
                                            const v1::ListContainerStatsRequest& request,
                                            v1::ListContainerStatsResponse& response) {
  RPC_TRY(auto found, list(request.filter()));
  for (v1::ContainerStats& stats : found) *response.add_stats() = std::move(stats);
  return grpc::Status::OK;
}

grpc::Status Statistics::StreamContainerStats(grpc::ServerContext&,
                                              const v1::StreamContainerStatsRequest& request,
                                              grpc::ServerWriter<v1::StreamContainerStatsResponse>& writer) {
  RPC_TRY(auto found, list(request.filter()));
  return send_in_parts(writer, std::move(found),
                       [](v1::StreamContainerStatsResponse& part, v1::ContainerStats stats) {
                         *part.add_container_stats() = std::move(stats);
                       });
}

grpc::Status Statistics::PodSandboxStats(grpc::ServerContext&, const v1::PodSandboxStatsRequest& request,
                                         v1::PodSandboxStatsResponse& response) {
  if (request.pod_sandbox_id().empty()) return missing("pod_sandbox_id");
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(const Pod pod, pod_of(*engine, request.pod_sandbox_id()));
  RPC_TRY(const auto members, members_of(*engine, pod.info.id));
  RPC_TRY(*response.mutable_stats(), stats_of(*engine, pod, members));
  return grpc::Status::OK;
}

Result<std::vector<v1::PodSandboxStats>> Statistics::list(const v1::PodSandboxStatsFilter& filter) {
  TRY(auto engine, engines_.lease());
  TRY(const auto pods, all_pods(*engine));
  TRY(const auto members, members_of(*engine, ""));
  forget_others(pods, members);
  std::vector<v1::PodSandboxStats> found;
  for (const Pod& pod : pods) {
    if (!pod.info.ready || !pod.info.id.starts_with(filter.id()) ||
        !has_labels(pod.request.config().labels(), filter.label_selector()))
      continue;
    auto stats = stats_of(*engine, pod, members);
    if (!stats && is_gone(stats.error())) continue;
    if (!stats) return tl::unexpected(std::move(stats.error()));
    found.push_back(std::move(*stats));
  }
  return found;
}

grpc::Status Statistics::ListPodSandboxStats(grpc::ServerContext&,
                                             const v1::ListPodSandboxStatsRequest& request,
                                             v1::ListPodSandboxStatsResponse& response) {
  RPC_TRY(auto found, list(request.filter()));
  for (v1::PodSandboxStats& stats : found) *response.add_stats() = std::move(stats);
  return grpc::Status::OK;
}

grpc::Status Statistics::StreamPodSandboxStats(
    grpc::ServerContext&, const v1::StreamPodSandboxStatsRequest& request,
    grpc::ServerWriter<v1::StreamPodSandboxStatsResponse>& writer) {
  RPC_TRY(auto found, list(request.filter()));
  return send_in_parts(writer, std::move(found),
                       [](v1::StreamPodSandboxStatsResponse& part, v1::PodSandboxStats stats) {
                         *part.add_pod_sandbox_stats() = std::move(stats);
                       });
}

}  // namespace fermata::cri
