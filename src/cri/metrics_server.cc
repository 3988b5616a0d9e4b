#include "cri/metrics_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "base/start_thread.h"

namespace fermata::cri {
namespace {

constexpr int kBacklog = 16;
// For a client to ask and to take the answer: it is not to keep others waiting.
constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};
constexpr std::size_t kMaxRequest = 8192;

Result<UniqueFd> listen_at(const HostPort& address) {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  auto& four = reinterpret_cast<sockaddr_in&>(storage);
  auto& six = reinterpret_cast<sockaddr_in6&>(storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(address.port);
    size = sizeof four;
  } else if (::inet_pton(AF_INET6, address.host.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(address.port);
    size = sizeof six;
  } else {
    return fail(ErrorKind::invalid_argument, "'{}' is not an IP address", address.host);
  }
  UniqueFd listener(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!listener || ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
      ::listen(listener.get(), kBacklog) != 0)
    return fail(errno, "serve metrics at {} port {}", address.host, address.port);
  return listener;
}

Result<std::uint16_t> port_of(int listener) {
  sockaddr_in6 address = {};  // large enough for both; the port is at the same place
  socklen_t size = sizeof address;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail(errno, "getsockname");
  return ntohs(address.sin6_port);
}

void send_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // it has left, or does not take it
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

std::string metrics_answer(std::string_view request, const std::function<std::string()>& text) {
  const auto reply = [](std::string_view status, std::string_view type, std::string_view body) {
    return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                       status, type, body.size(), body);
  };
  const std::string_view line = request.substr(0, request.find("\r\n"));
  if (!line.starts_with("GET "))
    return reply("405 Method Not Allowed", "text/plain", "GET alone is served\n");
  const std::string_view target = line.substr(4, line.find(' ', 4) - 4);
  if (target.substr(0, target.find('?')) != "/metrics")
    return reply("404 Not Found", "text/plain", "there is /metrics alone\n");
  return reply("200 OK", "text/plain; version=0.0.4; charset=utf-8", text());
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const HostPort& address,
                                                            std::function<std::string()> text) {
  TRY(UniqueFd listener, listen_at(address));
  TRY(const std::uint16_t port, port_of(listener.get()));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return fail(errno, "eventfd");
  std::unique_ptr<MetricsServer> server(
      new MetricsServer(std::move(listener), std::move(wake), port, std::move(text)));
  TRY(server->thread_, start_thread([raw = server.get()] { raw->serve(); }));
  return server;
}

MetricsServer::~MetricsServer() {
  ::eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void MetricsServer::serve() {
  while (true) {
    pollfd waiting[2] = {{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) continue;
    if (waiting[0].revents != 0) return;
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) answer(connection.get());
  }
}

void MetricsServer::answer(int connection) const {
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  std::string request;
  while (request.find("\r\n\r\n") == std::string::npos && request.size() < kMaxRequest) {
    char buffer[2048];
    const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    request.append(buffer, static_cast<std::size_t>(got));
  }
  send_all(connection, metrics_answer(request, text_));
}

}  // namespace fermata::cri
