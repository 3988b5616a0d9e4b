// Commands in containers, and the streams of both: exec, attach, port-forward.
#pragma once

#include <grpcpp/server_context.h>

#include "cri/engines.h"
#include "cri/protocol.h"

namespace fermata::cri {

class Execution {
 public:
  explicit Execution(Engines& engines) : engines_(engines) {}

  grpc::Status ExecSync(grpc::ServerContext& context, const v1::ExecSyncRequest& request,
                        v1::ExecSyncResponse& response);
  grpc::Status Exec(grpc::ServerContext& context, const v1::ExecRequest& request,
                    v1::ExecResponse& response);
  grpc::Status Attach(grpc::ServerContext& context, const v1::AttachRequest& request,
                      v1::AttachResponse& response);
  grpc::Status PortForward(grpc::ServerContext& context, const v1::PortForwardRequest& request,
                           v1::PortForwardResponse& response);

 private:
  Engines& engines_;
};

}  // namespace fermata::cri
