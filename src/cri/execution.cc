#include "cri/execution.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/text.h"
#include "cri/members.h"
#include "cri/rpc_status.h"
#include "cri/timeouts.h"

namespace fermata::cri {
namespace {

// A kubelet takes messages of 16 MiB, so this is for both streams together, with room for what is around.
constexpr std::size_t kMaxOutput = (16u << 20) - 4096;
// How often a caller is looked for that may have left.
constexpr int kLook = 500;  // ms

// A member of a pod that runs; its whole id.
Result<std::string> running(pod::Engine& engine, const std::string& container) {
  TRY(const Member asked, member(engine, container));
  if (asked.info.state != pod::ContainerState::running)
    return fail(ErrorKind::conflict, "container {} is not running", container);
  return asked.info.id;
}

// What goes beyond is read and dropped, so that the command goes on.
void keep(std::string& output, const std::string& more, const std::string& other) {
  const std::size_t held = output.size() + other.size();
  output.append(more, 0, held < kMaxOutput ? kMaxOutput - held : 0);
}

// Waits for bytes. False: the caller has left.
Result<bool> wait_for(pod::Session& session, grpc::ServerContext& context) {
  for (;;) {
    pollfd ready = {.fd = session.fd(), .events = POLLIN, .revents = 0};
    const int count = ::poll(&ready, 1, kLook);
    if (count < 0 && errno != EINTR) return fail(errno, "wait for the command");
    if (count > 0) return true;
    if (context.IsCancelled()) return false;
  }
}

grpc::Status collect(pod::Session& session, grpc::ServerContext& context, const v1::ExecSyncRequest& request,
                     v1::ExecSyncResponse& response) {
  for (;;) {
    RPC_TRY(const bool here, wait_for(session, context));
    if (!here) {
      // Nobody will ever know what it does. Where it cannot be ended, its timeout does that.
      (void)session.kill();
      return grpc::Status::CANCELLED;
    }
    RPC_TRY(const auto event, session.read());
    switch (event.kind) {
      case pod::Session::Event::Kind::output:
        keep(*response.mutable_stdout(), event.data, response.stderr());
        break;
      case pod::Session::Event::Kind::error_output:
        keep(*response.mutable_stderr(), event.data, response.stdout());
        break;
      case pod::Session::Event::Kind::closed:
        return to_status(Error(ErrorKind::failed, 0, "the pod's monitor has ended, and the command with it"));
      case pod::Session::Event::Kind::ended:
        if (event.timed_out)
          return {grpc::StatusCode::DEADLINE_EXCEEDED,
                  fmt::format("command '{}' timed out after {} s",
                              join({request.cmd().begin(), request.cmd().end()}, " "), request.timeout())};
        response.set_exit_code(event.exit_code);
        return grpc::Status::OK;
    }
  }
}

streaming::Streams streams_of(const auto& request) {
  return {.input = request.stdin(),
          .output = request.stdout(),
          .error_output = request.stderr(),
          .terminal = request.tty()};
}

}  // namespace

grpc::Status Execution::ExecSync(grpc::ServerContext& context, const v1::ExecSyncRequest& request,
                                 v1::ExecSyncResponse& response) {
  if (request.container_id().empty()) return missing("container_id");
  if (request.cmd().empty()) return missing("cmd");
  std::unique_ptr<pod::Session> session;
  {
    RPC_TRY(auto engine, engines_.lease());
    RPC_TRY(const std::string id, running(*engine, request.container_id()));
    const auto timeout = std::chrono::seconds(std::clamp<std::int64_t>(request.timeout(), 0, kMaxTimeout));
    const pod::ExecConfig config{.command = {request.cmd().begin(), request.cmd().end()},
                                 .env = {},
                                 .user = {},
                                 .working_dir = {},
                                 .timeout = timeout};
    auto started = engine->exec(id, config, {.stdout_ = true, .stderr_ = true});
    if (!started) return to_status(start_error(std::move(started.error().error)));
    session = std::move(*started);
  }
  return collect(*session, context, request, response);
}

grpc::Status Execution::Exec(grpc::ServerContext&, const v1::ExecRequest& request,
                             v1::ExecResponse& response) {
  if (request.container_id().empty()) return missing("container_id");
  if (request.cmd().empty()) return missing("cmd");
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(const std::string id, running(*engine, request.container_id()));
  RPC_TRY(*response.mutable_url(),
          server_.put(streaming::ExecRequest{.container = id,
                                             .command = {request.cmd().begin(), request.cmd().end()},
                                             .streams = streams_of(request)}));
  return grpc::Status::OK;
}

grpc::Status Execution::Attach(grpc::ServerContext&, const v1::AttachRequest& request,
                               v1::AttachResponse& response) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(const std::string id, running(*engine, request.container_id()));
  RPC_TRY(*response.mutable_url(),
          server_.put(streaming::AttachRequest{.container = id, .streams = streams_of(request)}));
  return grpc::Status::OK;
}

grpc::Status Execution::PortForward(grpc::ServerContext&, const v1::PortForwardRequest& request,
                                    v1::PortForwardResponse& response) {
  if (request.pod_sandbox_id().empty()) return missing("pod_sandbox_id");
  streaming::PortForwardRequest forward;
  for (const std::int32_t port : request.port()) {
    if (port < 1 || port > 65535)
      return to_status(Error(ErrorKind::invalid_argument, 0, fmt::format("there is no port {}", port)));
    forward.ports.push_back(static_cast<std::uint16_t>(port));
  }
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(const Pod pod, pod_of(*engine, request.pod_sandbox_id()));
  if (!pod.info.ready)
    return to_status(Error(ErrorKind::conflict, 0,
                           fmt::format("pod {} is not ready: it has ended", request.pod_sandbox_id())));
  forward.sandbox = pod.info.id;
  RPC_TRY(*response.mutable_url(), server_.put(std::move(forward)));
  return grpc::Status::OK;
}

}  // namespace fermata::cri
