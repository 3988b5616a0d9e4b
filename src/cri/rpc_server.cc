#include "cri/rpc_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "cri/store_claim.h"

namespace fermata::cri {
namespace {

// A kubelet's; of ListContainers with a thousand containers the answer is some megabytes long.
constexpr int kMaxMessage = 16 << 20;
// Threads that wait for a call. One more is made when all of them have one.
constexpr int kMostIdle = 4;

// The file mode creation mask, for as long as it lives. The process has but one.
class Mask {
 public:
  explicit Mask(mode_t mask) : before_(::umask(mask)) {}
  Mask(const Mask&) = delete;
  Mask& operator=(const Mask&) = delete;
  ~Mask() { ::umask(before_); }

 private:
  const mode_t before_;
};

Result<void> open_to(const Settings& settings) {
  if (::chown(settings.listen.c_str(), 0, settings.socket_gid) != 0)
    return fail(errno, "chown '{}'", settings.listen);
  if (::chmod(settings.listen.c_str(), settings.socket_mode) != 0)
    return fail(errno, "chmod '{}'", settings.listen);
  return {};
}

}  // namespace

RpcServer::RpcServer(std::unique_ptr<grpc::Server> server) : server_(std::move(server)) {}
RpcServer::RpcServer(RpcServer&&) noexcept = default;
RpcServer::~RpcServer() = default;

Result<RpcServer> RpcServer::start(const Settings& settings, const std::vector<grpc::Service*>& services) {
  TRY(make_directories(settings.listen.substr(0, settings.listen.rfind('/')), 0711));
  TRY(check_socket_free(settings.listen));
  grpc::ServerBuilder builder;
  int bound = 0;
  // The socket's own permissions are all that keeps others out: no TLS on a socket of this machine.
  builder.AddListeningPort("unix:" + settings.listen, grpc::InsecureServerCredentials(), &bound);
  builder.SetMaxReceiveMessageSize(kMaxMessage);
  builder.SetMaxSendMessageSize(kMaxMessage);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, kMostIdle);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server;
  {
    const Mask only_root(0177);
    server = builder.BuildAndStart();
  }
  if (!server || bound == 0)
    return fail(ErrorKind::failed, "listen: gRPC could not serve '{}'", settings.listen);
  RpcServer started(std::move(server));
  TRY(open_to(settings));
  return started;
}

void RpcServer::shut_down(std::chrono::milliseconds patience) {
  server_->Shutdown(std::chrono::system_clock::now() + patience);
}

}  // namespace fermata::cri
