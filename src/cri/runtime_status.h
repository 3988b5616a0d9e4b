// What the runtime is and how it stands: Version, Status, RuntimeConfig, UpdateRuntimeConfig.
#pragma once

#include <grpcpp/server_context.h>

#include <map>
#include <string>

#include "cri/engines.h"
#include "cri/networks.h"
#include "cri/probes.h"
#include "cri/protocol.h"
#include "cri/settings.h"

namespace fermata::cri {

// Thread-safe. Everything is borrowed.
class RuntimeStatus {
 public:
  RuntimeStatus(Engines& engines, const Settings& settings, Networks& networks, std::string version);

  grpc::Status Version(grpc::ServerContext& context, const v1::VersionRequest& request,
                       v1::VersionResponse& response);
  // NetworkReady and RuntimeReady; of the handlers what was probed when we started.
  grpc::Status Status(grpc::ServerContext& context, const v1::StatusRequest& request,
                      v1::StatusResponse& response);
  grpc::Status RuntimeConfig(grpc::ServerContext& context, const v1::RuntimeConfigRequest& request,
                             v1::RuntimeConfigResponse& response);
  // A kubelet tells the addresses of its pods when it starts, and when they change.
  grpc::Status UpdateRuntimeConfig(grpc::ServerContext& context,
                                   const v1::UpdateRuntimeConfigRequest& request,
                                   v1::UpdateRuntimeConfigResponse& response);

 private:
  Engines& engines_;
  const Settings& settings_;
  Networks& networks_;
  const std::string version_;
  const HostFeatures host_;
  std::map<std::string, HostFeatures> handlers_;  // of other runtimes
};

}  // namespace fermata::cri
