// What pods and containers use: statistics and metrics.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cri/engines.h"
#include "cri/inventory.h"
#include "cri/metric_table.h"
#include "cri/protocol.h"
#include "cri/samples.h"

namespace fermata::cri {

// Thread-safe. The engines and the inventory are borrowed.
class Statistics {
 public:
  // `period`: how old a count of what containers have written may be.
  Statistics(Engines& engines, Inventory& inventory, std::chrono::seconds period)
      : engines_(engines), inventory_(inventory), written_(period) {}

  grpc::Status ContainerStats(grpc::ServerContext& context, const v1::ContainerStatsRequest& request,
                              v1::ContainerStatsResponse& response);
  // Of those that run.
  grpc::Status ListContainerStats(grpc::ServerContext& context, const v1::ListContainerStatsRequest& request,
                                  v1::ListContainerStatsResponse& response);
  grpc::Status PodSandboxStats(grpc::ServerContext& context, const v1::PodSandboxStatsRequest& request,
                               v1::PodSandboxStatsResponse& response);
  // Of those that are ready.
  grpc::Status ListPodSandboxStats(grpc::ServerContext& context,
                                   const v1::ListPodSandboxStatsRequest& request,
                                   v1::ListPodSandboxStatsResponse& response);
  grpc::Status ListMetricDescriptors(grpc::ServerContext& context,
                                     const v1::ListMetricDescriptorsRequest& request,
                                     v1::ListMetricDescriptorsResponse& response);
  grpc::Status ListPodSandboxMetrics(grpc::ServerContext& context,
                                     const v1::ListPodSandboxMetricsRequest& request,
                                     v1::ListPodSandboxMetricsResponse& response);
  grpc::Status StreamContainerStats(grpc::ServerContext& context,
                                    const v1::StreamContainerStatsRequest& request,
                                    grpc::ServerWriter<v1::StreamContainerStatsResponse>& writer);
  grpc::Status StreamPodSandboxStats(grpc::ServerContext& context,
                                     const v1::StreamPodSandboxStatsRequest& request,
                                     grpc::ServerWriter<v1::StreamPodSandboxStatsResponse>& writer);
  grpc::Status StreamPodSandboxMetrics(grpc::ServerContext& context,
                                       const v1::StreamPodSandboxMetricsRequest& request,
                                       grpc::ServerWriter<v1::StreamPodSandboxMetricsResponse>& writer);

 private:
  Result<v1::ContainerStats> stats_of(pod::Engine& engine, const KnownContainer& container);
  Result<v1::PodSandboxStats> stats_of(pod::Engine& engine, const KnownPod& pod);
  v1::CpuUsage processor_of(const std::string& id, const pod::ContainerStats& stats, std::int64_t started,
                            std::int64_t now);
  Result<std::vector<v1::ContainerStats>> list(const v1::ContainerStatsFilter& filter);
  Result<std::vector<v1::PodSandboxStats>> list(const v1::PodSandboxStatsFilter& filter);
  void forget_others(const Inventory::Pods& pods);

  // pod_metrics.cc
  Result<v1::PodSandboxMetrics> metrics_of(pod::Engine& engine, const KnownPod& pod);
  Result<v1::ContainerMetrics> metrics_of(pod::Engine& engine, const KnownPod& pod,
                                          const KnownContainer& container, const StoreFigures& store);
  Result<std::vector<v1::PodSandboxMetrics>> list_metrics();

  Engines& engines_;
  Inventory& inventory_;
  CpuRates rates_;
  WrittenLayers written_;
};

}  // namespace fermata::cri
