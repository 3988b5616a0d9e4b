// What pods and containers use: statistics and metrics.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "cri/engines.h"
#include "cri/protocol.h"

namespace fermata::cri {

class Statistics {
 public:
  explicit Statistics(Engines& engines) : engines_(engines) {}

  grpc::Status ContainerStats(grpc::ServerContext& context, const v1::ContainerStatsRequest& request,
                              v1::ContainerStatsResponse& response);
  grpc::Status ListContainerStats(grpc::ServerContext& context, const v1::ListContainerStatsRequest& request,
                                  v1::ListContainerStatsResponse& response);
  grpc::Status PodSandboxStats(grpc::ServerContext& context, const v1::PodSandboxStatsRequest& request,
                               v1::PodSandboxStatsResponse& response);
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
  Engines& engines_;
};

}  // namespace fermata::cri
