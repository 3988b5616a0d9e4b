// Pod sandboxes: their calls of the RuntimeService.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "cri/engines.h"
#include "cri/protocol.h"

namespace fermata::cri {

class Sandboxes {
 public:
  explicit Sandboxes(Engines& engines) : engines_(engines) {}

  grpc::Status RunPodSandbox(grpc::ServerContext& context, const v1::RunPodSandboxRequest& request,
                             v1::RunPodSandboxResponse& response);
  grpc::Status StopPodSandbox(grpc::ServerContext& context, const v1::StopPodSandboxRequest& request,
                              v1::StopPodSandboxResponse& response);
  grpc::Status RemovePodSandbox(grpc::ServerContext& context, const v1::RemovePodSandboxRequest& request,
                                v1::RemovePodSandboxResponse& response);
  grpc::Status PodSandboxStatus(grpc::ServerContext& context, const v1::PodSandboxStatusRequest& request,
                                v1::PodSandboxStatusResponse& response);
  grpc::Status ListPodSandbox(grpc::ServerContext& context, const v1::ListPodSandboxRequest& request,
                              v1::ListPodSandboxResponse& response);
  grpc::Status UpdatePodSandboxResources(grpc::ServerContext& context,
                                         const v1::UpdatePodSandboxResourcesRequest& request,
                                         v1::UpdatePodSandboxResourcesResponse& response);
  grpc::Status StreamPodSandboxes(grpc::ServerContext& context, const v1::StreamPodSandboxesRequest& request,
                                  grpc::ServerWriter<v1::StreamPodSandboxesResponse>& writer);

 private:
  Engines& engines_;
};

}  // namespace fermata::cri
