// Containers: their calls of the RuntimeService.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "cri/engines.h"
#include "cri/protocol.h"

namespace fermata::cri {

class Containers {
 public:
  explicit Containers(Engines& engines) : engines_(engines) {}

  grpc::Status CreateContainer(grpc::ServerContext& context, const v1::CreateContainerRequest& request,
                               v1::CreateContainerResponse& response);
  grpc::Status StartContainer(grpc::ServerContext& context, const v1::StartContainerRequest& request,
                              v1::StartContainerResponse& response);
  grpc::Status StopContainer(grpc::ServerContext& context, const v1::StopContainerRequest& request,
                             v1::StopContainerResponse& response);
  grpc::Status RemoveContainer(grpc::ServerContext& context, const v1::RemoveContainerRequest& request,
                               v1::RemoveContainerResponse& response);
  grpc::Status ContainerStatus(grpc::ServerContext& context, const v1::ContainerStatusRequest& request,
                               v1::ContainerStatusResponse& response);
  grpc::Status ListContainers(grpc::ServerContext& context, const v1::ListContainersRequest& request,
                              v1::ListContainersResponse& response);
  grpc::Status UpdateContainerResources(grpc::ServerContext& context,
                                        const v1::UpdateContainerResourcesRequest& request,
                                        v1::UpdateContainerResourcesResponse& response);
  grpc::Status ReopenContainerLog(grpc::ServerContext& context, const v1::ReopenContainerLogRequest& request,
                                  v1::ReopenContainerLogResponse& response);
  grpc::Status CheckpointContainer(grpc::ServerContext& context,
                                   const v1::CheckpointContainerRequest& request,
                                   v1::CheckpointContainerResponse& response);
  grpc::Status StreamContainers(grpc::ServerContext& context, const v1::StreamContainersRequest& request,
                                grpc::ServerWriter<v1::StreamContainersResponse>& writer);

 private:
  Engines& engines_;
};

}  // namespace fermata::cri
