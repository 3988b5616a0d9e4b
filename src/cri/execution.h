// Commands in containers, and the streams of both: exec, attach, port-forward.
#pragma once

#include <grpcpp/server_context.h>

#include "cri/engines.h"
#include "cri/protocol.h"
#include "streaming/server.h"

namespace fermata::cri {

// Thread-safe. Both are borrowed.
class Execution {
 public:
  Execution(Engines& engines, streaming::Server& server) : engines_(engines), server_(server) {}

  // DEADLINE_EXCEEDED when the time is over, by which a kubelet knows a probe that has failed; all that the
  // command has started is gone by then.
  grpc::Status ExecSync(grpc::ServerContext& context, const v1::ExecSyncRequest& request,
                        v1::ExecSyncResponse& response);
  grpc::Status Exec(grpc::ServerContext& context, const v1::ExecRequest& request, v1::ExecResponse& response);
  grpc::Status Attach(grpc::ServerContext& context, const v1::AttachRequest& request,
                      v1::AttachResponse& response);
  grpc::Status PortForward(grpc::ServerContext& context, const v1::PortForwardRequest& request,
                           v1::PortForwardResponse& response);

 private:
  Engines& engines_;
  streaming::Server& server_;
};

}  // namespace fermata::cri
