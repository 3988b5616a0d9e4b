// A RelayTarget as the socket calls want it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "monitor/protocol.h"

namespace fermata::monitor {

union RelayAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// 0 or EAFNOSUPPORT.
inline int relay_address(const RelayTarget& target, RelayAddress& address, socklen_t& size) {
  address = {};
  const auto port = htons(target.port);
  if (target.family == AF_INET) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = port;
    std::memcpy(&address.v4.sin_addr, target.address, sizeof address.v4.sin_addr);
    size = sizeof address.v4;
    return 0;
  }
  if (target.family != AF_INET6) return EAFNOSUPPORT;
  address.v6.sin6_family = AF_INET6;
  address.v6.sin6_port = port;
  std::memcpy(&address.v6.sin6_addr, target.address, sizeof address.v6.sin6_addr);
  size = sizeof address.v6;
  return 0;
}

}  // namespace fermata::monitor
