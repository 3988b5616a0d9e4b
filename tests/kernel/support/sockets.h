// Network namespaces of a test's own, and sockets in them: whether one place reaches another.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "base/files.h"
#include "kernel/ip_address.h"
#include "kernel/network_namespace.h"

namespace fermata::test {

// The calling thread stays where it is.
inline UniqueFd new_namespace() {
  auto home = open_file("/proc/thread-self/ns/net", O_RDONLY);
  EXPECT_TRUE(home);
  EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
  auto made = open_file("/proc/thread-self/ns/net", O_RDONLY);
  EXPECT_EQ(::setns(home->get(), CLONE_NEWNET), 0);
  return std::move(*made);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline Address address_of(const std::string& ip, std::uint16_t port) {
  Address address;
  const auto parsed = kernel::parse_ip(ip);
  EXPECT_TRUE(parsed) << ip;
  if (parsed->family == AF_INET) {
    auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    std::memcpy(&four->sin_addr, parsed->bytes.data(), 4);
    address.size = sizeof *four;
  } else {
    auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    std::memcpy(&six->sin6_addr, parsed->bytes.data(), 16);
    address.size = sizeof *six;
  }
  return address;
}

// A server in a namespace; nothing runs: the test accepts and answers by itself.
inline UniqueFd listen_in(int ns, const std::string& ip, std::uint16_t port, int type) {
  auto visit = kernel::NetworkNamespaceVisit::enter(ns);
  EXPECT_TRUE(visit);
  const Address address = address_of(ip, port);
  UniqueFd fd(::socket(address.get()->sa_family, type | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(fd.get(), address.get(), address.size), 0) << ip << " " << std::strerror(errno);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(::listen(fd.get(), 16), 0);
  }
  return fd;
}

inline bool readable(int fd, int milliseconds = 1500) {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, milliseconds) == 1;
}

// From namespace `ns` (-1: the thread's own): connects, or fails within a moment.
inline bool tcp_reaches(int ns, const std::string& ip, std::uint16_t port, const UniqueFd& server) {
  std::optional<kernel::NetworkNamespaceVisit> visit;
  if (ns >= 0) visit.emplace(std::move(*kernel::NetworkNamespaceVisit::enter(ns)));
  const Address address = address_of(ip, port);
  UniqueFd client(::socket(address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  (void)::connect(client.get(), address.get(), address.size);
  if (!readable(server.get())) return false;
  UniqueFd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (::send(accepted.get(), "ok", 2, MSG_NOSIGNAL) != 2) return false;
  char answer[2];
  return readable(client.get()) && ::recv(client.get(), answer, 2, 0) == 2;
}

inline bool udp_reaches(int ns, const std::string& ip, std::uint16_t port, const UniqueFd& server) {
  std::optional<kernel::NetworkNamespaceVisit> visit;
  if (ns >= 0) visit.emplace(std::move(*kernel::NetworkNamespaceVisit::enter(ns)));
  const Address address = address_of(ip, port);
  UniqueFd client(::socket(address.get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  (void)::connect(client.get(), address.get(), address.size);
  if (::send(client.get(), "ask", 3, 0) != 3 || !readable(server.get())) return false;
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  char text[8];
  if (::recvfrom(server.get(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &size) != 3)
    return false;
  if (::sendto(server.get(), "ok", 2, 0, reinterpret_cast<sockaddr*>(&from), size) != 2) return false;
  return readable(client.get()) && ::recv(client.get(), text, 2, 0) == 2;
}

}  // namespace fermata::test
