// Containers: their calls of the RuntimeService.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "cdi/registry.h"
#include "cri/container_events.h"
#include "cri/engines.h"
#include "cri/in_flight.h"
#include "cri/inventory.h"
#include "cri/protocol.h"
#include "cri/resources.h"

namespace fermata::cri {

// Thread-safe. Everything is borrowed.
class Containers {
 public:
  // `cdi_dirs`: where specifications of devices are, later ones win.
  Containers(Engines& engines, Inventory& inventory, Events& events, std::vector<std::string> cdi_dirs);

  // One that was made already and never started is answered for.
  grpc::Status CreateContainer(grpc::ServerContext& context, const v1::CreateContainerRequest& request,
                               v1::CreateContainerResponse& response);
  // Once: one that runs, or has run, is not started again. Asking twice at the same time is asking once.
  grpc::Status StartContainer(grpc::ServerContext& context, const v1::StartContainerRequest& request,
                              v1::StartContainerResponse& response);
  // Of one that is not there: done.
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
  // checkpoints.cc. Asking twice at the same time is asking once; when nobody waits any more it ends.
  grpc::Status CheckpointContainer(grpc::ServerContext& context,
                                   const v1::CheckpointContainerRequest& request,
                                   v1::CheckpointContainerResponse& response);
  grpc::Status StreamContainers(grpc::ServerContext& context, const v1::StreamContainersRequest& request,
                                grpc::ServerWriter<v1::StreamContainersResponse>& writer);

 private:
  // Returns its id.
  Result<std::string> create(const v1::CreateContainerRequest& request);
  Result<std::string> start(const std::string& container);
  // Returns its location.
  Result<std::string> checkpoint(const v1::CheckpointContainerRequest& request,
                                 std::chrono::steady_clock::time_point deadline, const std::stop_token& stop);
  Result<std::vector<v1::Container>> list(const v1::ContainerFilter& filter);

  Engines& engines_;
  Inventory& inventory_;
  Events& events_;
  const LimitSupport limits_;
  cdi::Registry devices_;
  // Last: they wait for their work.
  InFlight<std::string> creating_{Abandoned::finish};     // by pod, name and attempt
  InFlight<std::string> starting_{Abandoned::finish};     // by id
  InFlight<std::string> checkpointing_{Abandoned::stop};  // by id and location
};

}  // namespace fermata::cri
