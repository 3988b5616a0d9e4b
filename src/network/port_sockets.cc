// How the sockets of one port live side by side. [::] is only bound, to hold the port; [::1] listens, for the
// relay. The kernel lets a specific address beside the wildcard one only if both have SO_REUSEADDR and none
// of those before listens. So the wildcard is bound first without the option (which would hide a conflict
// with others), gets it for the moment in which [::1] binds, and loses it again, so that nobody else can slip
// in. The kernel reads the option of the bound socket at each such check, as long as the port's first socket
// did not have it when it bound.
#include "network/port_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "kernel/ip_address.h"

namespace fermata::network {
namespace {

struct Kind {
  int type;
  int protocol;
  bool stream;
};

Kind kind_of(const std::string& protocol) {
  if (protocol == "udp") return {SOCK_DGRAM, IPPROTO_UDP, false};
  if (protocol == "sctp") return {SOCK_STREAM, IPPROTO_SCTP, false};
  return {SOCK_STREAM, IPPROTO_TCP, true};
}

void set_reuse(const UniqueFd& fd, int on) {
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

Result<UniqueFd> bind_socket(const Kind& kind, const kernel::IpAddress& address, std::uint16_t port,
                             bool reuse) {
  UniqueFd fd(::socket(address.family, kind.type | SOCK_CLOEXEC | SOCK_NONBLOCK, kind.protocol));
  if (fd.get() < 0) return fail(errno, "open a socket");
  if (reuse) set_reuse(fd, 1);
  sockaddr_in6 six{};
  sockaddr_in four{};
  const void* target = &four;
  socklen_t size = sizeof four;
  if (address.family == AF_INET6) {
    const int on = 1;
    (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&six.sin6_addr, address.bytes.data(), 16);
    target = &six;
    size = sizeof six;
  } else {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&four.sin_addr, address.bytes.data(), 4);
  }
  if (::bind(fd.get(), static_cast<const sockaddr*>(target), size) != 0)
    return fail(errno, "bind {} port {}", kernel::format_ip(address), port);
  return fd;
}

// Connections of a former owner in TIME_WAIT refuse a plain bind for a minute; with SO_REUSEADDR only
// listeners do.
Result<UniqueFd> bind_exclusive(const Kind& kind, const kernel::IpAddress& address, std::uint16_t port) {
  Result<UniqueFd> fd = bind_socket(kind, address, port, false);
  if (fd || fd.error().error_number() != EADDRINUSE || !kind.stream) return fd;
  fd = bind_socket(kind, address, port, true);
  if (fd) set_reuse(*fd, 0);
  return fd;
}

Result<UniqueFd> bind_relay(const Kind& kind, std::uint16_t port, const UniqueFd* wildcard) {
  kernel::IpAddress loopback{.family = AF_INET6};
  loopback.bytes[15] = 1;
  if (wildcard == nullptr && !kind.stream) return bind_socket(kind, loopback, port, false);
  if (wildcard != nullptr) set_reuse(*wildcard, 1);
  Result<UniqueFd> fd = bind_socket(kind, loopback, port, true);
  if (fd && kind.stream && ::listen(fd->get(), 512) != 0) fd = fail(errno, "listen on [::1] port {}", port);
  if (wildcard != nullptr) set_reuse(*wildcard, 0);
  if (fd && !kind.stream) set_reuse(*fd, 0);
  return fd;
}

// The host has no IPv6, or lo has no ::1.
bool lacks_ipv6(const Error& error) {
  return error.error_number() == EAFNOSUPPORT || error.error_number() == EADDRNOTAVAIL;
}

}  // namespace

Result<HeldPort> hold_port(const PortMapping& mapping, std::uint16_t port) {
  const Kind kind = kind_of(mapping.protocol);
  const bool relayed = mapping.protocol != "sctp";
  const bool every = mapping.host_ip.empty();
  HeldPort result;
  if (!every && mapping.host_ip != "::") {
    const auto address = kernel::parse_ip(mapping.host_ip);
    if (!address) return fail(ErrorKind::invalid_argument, "invalid IP address: {}", mapping.host_ip);
    if (mapping.host_ip == "::1" && relayed) {
      TRY(result.relay, bind_relay(kind, port, nullptr));
      return result;
    }
    TRY(UniqueFd fd, bind_exclusive(kind, *address, port));
    result.held.push_back(std::move(fd));
    return result;
  }
  if (every) {
    TRY(UniqueFd four, bind_exclusive(kind, kernel::IpAddress{.family = AF_INET}, port));
    result.held.push_back(std::move(four));
  }
  Result<UniqueFd> six = bind_exclusive(kind, kernel::IpAddress{.family = AF_INET6}, port);
  if (!six && every && lacks_ipv6(six.error())) return result;
  if (!six) return tl::unexpected<Error>(std::move(six.error()));
  result.held.push_back(std::move(*six));
  if (!relayed) return result;
  Result<UniqueFd> relay = bind_relay(kind, port, &result.held.back());
  if (relay)
    result.relay = std::move(*relay);
  else if (!lacks_ipv6(relay.error()))
    return tl::unexpected<Error>(std::move(relay.error()));
  return result;
}

}  // namespace fermata::network
