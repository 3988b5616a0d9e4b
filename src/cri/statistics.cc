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

v1::ContainerAttributes attributes_of(const v1::Container& container) {
  v1::ContainerAttributes attributes;
  attributes.set_id(container.id());
  *attributes.mutable_metadata() = container.metadata();
  *attributes.mutable_labels() = container.labels();
  *attributes.mutable_annotations() = container.annotations();
  return attributes;
}

v1::PodSandboxAttributes attributes_of(const v1::PodSandbox& pod) {
  v1::PodSandboxAttributes attributes;
  attributes.set_id(pod.id());
  *attributes.mutable_metadata() = pod.metadata();
  *attributes.mutable_labels() = pod.labels();
  *attributes.mutable_annotations() = pod.annotations();
  return attributes;
}

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

Result<v1::ContainerStats> Statistics::stats_of(pod::Engine& engine, const KnownContainer& container) {
  v1::ContainerStats told;
  const std::string& id = container.entry.id();
  *told.mutable_attributes() = attributes_of(container.entry);
  if (runs(container)) {
    TRY(const auto stats, engine.group_stats(container.cgroup, 0, kernel::StatsDepth::usage));
    const std::int64_t now = now_ns();
    if (stats.running) {
      *told.mutable_cpu() = processor_of(id, stats, container.started, now);
      *told.mutable_memory() = memory_usage(stats, now);
      *told.mutable_swap() = swap_usage(stats.group, now);
      *told.mutable_io() = io_usage(stats.group, now);
    }
  }
  if (!container.upper_path.empty()) {
    const auto written = written_.of(container.upper_path);
    *told.mutable_writable_layer() = layer_usage(written.usage, engines_.options().root, written.time);
  }
  return told;
}

Result<v1::PodSandboxStats> Statistics::stats_of(pod::Engine& engine, const KnownPod& pod) {
  v1::PodSandboxStats told;
  *told.mutable_attributes() = attributes_of(pod.entry);
  auto* used = told.mutable_linux();
  if (!is_ready(pod)) return told;
  TRY(const auto stats, engine.group_stats(pod.cgroup, pod.network_pid, kernel::StatsDepth::usage));
  if (stats.running) {
    const std::int64_t now = now_ns();
    *used->mutable_cpu() = processor_of(pod.entry.id(), stats, pod.started, now);
    *used->mutable_memory() = memory_usage(stats, now);
    if (auto network = network_usage(stats.interfaces, now)) *used->mutable_network() = std::move(*network);
    *used->mutable_io() = io_usage(stats.group, now);
    used->mutable_process()->set_timestamp(now);
    if (stats.group.pids)
      used->mutable_process()->mutable_process_count()->set_value(stats.group.pids->current);
  }
  for (const KnownContainer& container : pod.containers) {
    if (!runs(container)) continue;
    TRY(*used->add_containers(), stats_of(engine, container));
  }
  return told;
}

void Statistics::forget_others(const Inventory::Pods& pods) {
  std::set<std::string> ids, directories;
  for (const auto& pod : pods) {
    ids.insert(pod->entry.id());
    for (const KnownContainer& container : pod->containers) {
      ids.insert(container.entry.id());
      directories.insert(container.upper_path);
    }
  }
  rates_.keep(ids);
  written_.keep(directories);
}

grpc::Status Statistics::ContainerStats(grpc::ServerContext&, const v1::ContainerStatsRequest& request,
                                        v1::ContainerStatsResponse& response) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(const auto asked, inventory_.container(request.container_id()));
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(*response.mutable_stats(), stats_of(*engine, *asked.container));
  return grpc::Status::OK;
}

Result<std::vector<v1::ContainerStats>> Statistics::list(const v1::ContainerStatsFilter& filter) {
  TRY(const auto pods, inventory_.pods());
  TRY(auto engine, engines_.lease());
  std::vector<v1::ContainerStats> found;
  for (const auto& pod : pods) {
    if (!pod->entry.id().starts_with(filter.pod_sandbox_id())) continue;
    for (const KnownContainer& container : pod->containers) {
      if (!runs(container) || !container.entry.id().starts_with(filter.id()) ||
          !has_labels(container.entry.labels(), filter.label_selector()))
        continue;
      TRY(auto stats, stats_of(*engine, container));
      found.push_back(std::move(stats));
    }
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
  RPC_TRY(const auto pod, inventory_.pod(request.pod_sandbox_id()));
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(*response.mutable_stats(), stats_of(*engine, *pod));
  return grpc::Status::OK;
}

Result<std::vector<v1::PodSandboxStats>> Statistics::list(const v1::PodSandboxStatsFilter& filter) {
  TRY(const auto pods, inventory_.pods());
  forget_others(pods);
  TRY(auto engine, engines_.lease());
  std::vector<v1::PodSandboxStats> found;
  for (const auto& pod : pods) {
    if (!is_ready(*pod) || !pod->entry.id().starts_with(filter.id()) ||
        !has_labels(pod->entry.labels(), filter.label_selector()))
      continue;
    TRY(auto stats, stats_of(*engine, *pod));
    found.push_back(std::move(stats));
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
