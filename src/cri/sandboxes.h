// Pod sandboxes: their calls of the RuntimeService.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <string>

#include "cri/container_events.h"
#include "cri/engines.h"
#include "cri/idle_host.h"
#include "cri/in_flight.h"
#include "cri/inventory.h"
#include "cri/networks.h"
#include "cri/protocol.h"
#include "cri/settings.h"

namespace fermata::cri {

// Thread-safe. Everything is borrowed.
class Sandboxes {
 public:
  Sandboxes(Engines& engines, Inventory& inventory, Events& events, IdleHost& idle_host,
            const Networks& networks, const Settings& settings)
      : engines_(engines),
        inventory_(inventory),
        events_(events),
        idle_host_(idle_host),
        networks_(networks),
        settings_(settings) {}

  // A pod that is ready already, or is being made, is answered for: asking twice makes one. A caller that
  // leaves does not stop it, and finds it when it asks again or lists.
  grpc::Status RunPodSandbox(grpc::ServerContext& context, const v1::RunPodSandboxRequest& request,
                             v1::RunPodSandboxResponse& response);
  // Of a pod that is not there: done.
  grpc::Status StopPodSandbox(grpc::ServerContext& context, const v1::StopPodSandboxRequest& request,
                              v1::StopPodSandboxResponse& response);
  grpc::Status RemovePodSandbox(grpc::ServerContext& context, const v1::RemovePodSandboxRequest& request,
                                v1::RemovePodSandboxResponse& response);
  grpc::Status PodSandboxStatus(grpc::ServerContext& context, const v1::PodSandboxStatusRequest& request,
                                v1::PodSandboxStatusResponse& response);
  grpc::Status ListPodSandbox(grpc::ServerContext& context, const v1::ListPodSandboxRequest& request,
                              v1::ListPodSandboxResponse& response);
  // A kubelet has changed the pod's own group; what it says is told back.
  grpc::Status UpdatePodSandboxResources(grpc::ServerContext& context,
                                         const v1::UpdatePodSandboxResourcesRequest& request,
                                         v1::UpdatePodSandboxResourcesResponse& response);
  grpc::Status StreamPodSandboxes(grpc::ServerContext& context, const v1::StreamPodSandboxesRequest& request,
                                  grpc::ServerWriter<v1::StreamPodSandboxesResponse>& writer);

 private:
  Result<void> check_handler(const std::string& handler) const;
  // Returns its id.
  Result<std::string> run(const v1::RunPodSandboxRequest& request, const std::string& name);
  Result<std::vector<v1::PodSandbox>> list(const v1::PodSandboxFilter& filter);

  Engines& engines_;
  Inventory& inventory_;
  Events& events_;
  IdleHost& idle_host_;
  const Networks& networks_;
  const Settings& settings_;
  InFlight<std::string> running_{Abandoned::finish};  // by name; last: it waits for its work
};

}  // namespace fermata::cri
