#include "network/udp_flows.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace fermata::network {
namespace {

// An address is this host's when it can be bound.
bool is_local(const kernel::IpAddress& address) {
  const UniqueFd fd(::socket(address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (address.family == AF_INET) {
    four.sin_family = AF_INET;
    std::memcpy(&four.sin_addr, address.bytes.data(), 4);
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&four), sizeof four) == 0;
  }
  six.sin6_family = AF_INET6;
  std::memcpy(&six.sin6_addr, address.bytes.data(), 16);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&six), sizeof six) == 0;
}

bool untranslated(const kernel::TrackedFlow& flow) {
  return flow.reply_source == flow.destination && flow.reply_source_port == flow.destination_port;
}

}  // namespace

Result<void> forget_flows_before(kernel::NetlinkSocket& netfilter, const std::vector<PortRecord>& ports) {
  for (const PortRecord& port : ports) {
    if (port.mapping.protocol != "udp") continue;
    TRY(kernel::delete_udp_flows(netfilter, port.mapping.host_port, [](const kernel::TrackedFlow& flow) {
      return untranslated(flow) && is_local(flow.destination);
    }));
  }
  return {};
}

Result<void> forget_flows_to(kernel::NetlinkSocket& netfilter, const std::vector<PortRecord>& ports,
                             const AddressPool& pool) {
  for (const PortRecord& port : ports) {
    if (port.mapping.protocol != "udp") continue;
    TRY(kernel::delete_udp_flows(netfilter, port.mapping.host_port, [&](const kernel::TrackedFlow& flow) {
      return flow.reply_source == port.address ||
             (pool.has_ipv6() && flow.reply_source == pool.ipv6_of(port.address));
    }));
  }
  return {};
}

}  // namespace fermata::network
