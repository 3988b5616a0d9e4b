// Tracked connections: UDP flows that began before a port was published, or that outlive it, keep the old
// translation until their timeout unless they are deleted. ctnetlink (linux/netfilter/nfnetlink_conntrack.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernel/ip_address.h"
#include "kernel/netlink.h"

namespace fermata::kernel {

struct TrackedFlow {
  IpAddress source, destination;  // as first sent
  std::uint16_t source_port = 0, destination_port = 0;
  IpAddress reply_source,
      reply_destination;  // as the answer comes: reply_source is where it was translated to
  std::uint16_t reply_source_port = 0, reply_destination_port = 0;
  std::uint8_t protocol = 0;
};

// One message of a dump; nullopt when it is malformed.
std::optional<TrackedFlow> parse_flow(std::string_view payload);
// Deletes UDP flows to `port`, of both families, of which `chosen` says true. A kernel without ctnetlink has
// nothing to delete.
Result<void> delete_udp_flows(NetlinkSocket& netfilter, std::uint16_t port,
                              const std::function<bool(const TrackedFlow&)>& chosen);

}  // namespace fermata::kernel
