// The gRPC server on the daemon's socket.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "base/error.h"
#include "cri/settings.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace fermata::cri {

class RpcServer {
 public:
  // Listens. Before that nobody but root could connect, from then on whom the settings let. The services
  // outlive the server.
  static Result<RpcServer> start(const Settings& settings, const std::vector<grpc::Service*>& services);
  RpcServer(RpcServer&&) noexcept;
  ~RpcServer();

  // Takes no more calls, waits for those under way, and cancels them when the time is over.
  void shut_down(std::chrono::milliseconds patience);

 private:
  explicit RpcServer(std::unique_ptr<grpc::Server> server);
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace fermata::cri
