#include "cri/streaming_backend.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "base/files.h"
#include "cri/members.h"
#include "kernel/network_namespace.h"

namespace fermata::cri {
namespace {

constexpr int kConnectTimeout = 10000;  // ms

class MonitorStreams final : public streaming::ProcessSession {
 public:
  explicit MonitorStreams(std::unique_ptr<pod::Session> session) : session_(std::move(session)) {}

  int fd() const override { return session_->fd(); }
  Result<Event> read() override {
    TRY(auto got, session_->read());
    Event event;
    switch (got.kind) {
      case pod::Session::Event::Kind::output:
        event.kind = Event::Kind::output;
        break;
      case pod::Session::Event::Kind::error_output:
        event.kind = Event::Kind::error_output;
        break;
      case pod::Session::Event::Kind::ended:
        event.kind = Event::Kind::ended;
        break;
      case pod::Session::Event::Kind::closed:
        event.kind = Event::Kind::closed;
        break;
    }
    event.data = std::move(got.data);
    event.exit_code = got.exit_code;
    return event;
  }
  Result<void> write_stdin(std::string_view data) override { return session_->write_stdin(data); }
  Result<void> close_stdin() override { return session_->close_stdin(); }
  Result<void> resize(std::uint32_t rows, std::uint32_t columns) override {
    return session_->resize(rows, columns);
  }

 private:
  const std::unique_ptr<pod::Session> session_;
};

pod::StreamSelection selection_of(const streaming::Streams& streams) {
  return {.stdin_ = streams.input, .stdout_ = streams.output, .stderr_ = streams.error_output};
}

// A pod's network namespace; nullopt: the host's.
Result<std::optional<UniqueFd>> network_of(pod::Engine& engine, const std::string& sandbox) {
  TRY(const Pod pod, pod_of(engine, sandbox));
  if (!pod.info.ready) return fail(ErrorKind::conflict, "pod {} is not ready: it has ended", sandbox);
  if (pod.info.infra.config.net.kind == "host") return std::optional<UniqueFd>();
  TRY(auto network, open_file(fmt::format("/proc/{}/ns/net", pod.info.infra.pid), O_RDONLY));
  // Its process may have ended meanwhile, and its number be another's.
  TRY(const Pod again, pod_of(engine, sandbox));
  if (!again.info.ready || again.info.infra.pid != pod.info.infra.pid)
    return fail(ErrorKind::conflict, "pod {} has ended", sandbox);
  return std::optional(std::move(network));
}

Result<void> finish_connect(int socket) {
  pollfd connected = {.fd = socket, .events = POLLOUT, .revents = 0};
  int ready = 0;
  do ready = ::poll(&connected, 1, kConnectTimeout);
  while (ready < 0 && errno == EINTR);
  if (ready <= 0) return fail(ready < 0 ? errno : ETIMEDOUT, "connect");
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return fail(errno, "connect");
  return error == 0 ? Result<void>() : fail(error, "connect");
}

template <class Address>
Result<UniqueFd> connect_to(const Address& address, int family) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINPROGRESS) return fail(errno, "connect");
    TRY(finish_connect(socket.get()));
  }
  return socket;
}

// In the network of this thread.
Result<UniqueFd> connect_to_loopback(std::uint16_t port) {
  sockaddr_in ipv4 = {};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(port);
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto socket = connect_to(ipv4, AF_INET);
  if (socket) return socket;
  sockaddr_in6 ipv6 = {};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(port);
  ipv6.sin6_addr = in6addr_loopback;
  if (auto other = connect_to(ipv6, AF_INET6); other) return other;
  // What servers that listen have is IPv4: its failure says more.
  return socket;
}

}  // namespace

Result<std::unique_ptr<streaming::ProcessSession>> StreamingBackend::open_exec(
    const streaming::ExecRequest& request) {
  TRY(auto engine, engines_.lease());
  const pod::ExecConfig config{.command = request.command,
                               .env = {},
                               .user = {},
                               .working_dir = {},
                               .terminal = request.streams.terminal,
                               .stdin_open = request.streams.input};
  auto session = engine->exec(request.container, config, selection_of(request.streams));
  if (!session) return tl::unexpected(std::move(session.error().error));
  return std::make_unique<MonitorStreams>(std::move(*session));
}

Result<std::unique_ptr<streaming::ProcessSession>> StreamingBackend::open_attach(
    const streaming::AttachRequest& request) {
  TRY(auto engine, engines_.lease());
  TRY(auto session, engine->attach(request.container, selection_of(request.streams)));
  return std::make_unique<MonitorStreams>(std::move(session));
}

Result<UniqueFd> StreamingBackend::open_port(const std::string& sandbox, std::uint16_t port) {
  std::optional<UniqueFd> network;
  {
    TRY(auto engine, engines_.lease());
    TRY(network, network_of(*engine, sandbox));
  }
  std::optional<kernel::NetworkNamespaceVisit> visit;
  if (network) {
    TRY(auto entered, kernel::NetworkNamespaceVisit::enter(network->get()));
    visit.emplace(std::move(entered));
  }
  auto socket = connect_to_loopback(port);
  if (!socket) return fail_with(std::move(socket.error()), fmt::format("port {} of pod {}", port, sandbox));
  return socket;
}

}  // namespace fermata::cri
