// What the runtime is and how it stands: Version, Status, RuntimeConfig, UpdateRuntimeConfig.
#pragma once

#include <grpcpp/server_context.h>

#include <map>
#include <mutex>
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
  // A kubelet tells the addresses of its pods once; they are kept until the next boot.
  grpc::Status UpdateRuntimeConfig(grpc::ServerContext& context,
                                   const v1::UpdateRuntimeConfigRequest& request,
                                   v1::UpdateRuntimeConfigResponse& response);

  // "10.1.0.0/24", "10.1.0.0/24,fd00::/64", or "" as long as no kubelet has told.
  std::string pod_cidr() const;

 private:
  std::string pod_cidr_path() const { return settings_.run_root + "/pod-cidr"; }

  Engines& engines_;
  const Settings& settings_;
  Networks& networks_;
  const std::string version_;
  const HostFeatures host_;
  std::map<std::string, HostFeatures> handlers_;  // of other runtimes
  mutable std::mutex mutex_;
  std::string pod_cidr_;
};

}  // namespace fermata::cri
