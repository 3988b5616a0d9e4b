// rtnetlink(7) messages for what a pod network needs: bridge, veth pair, addresses, routes. Each function
// adds one message to a batch; NetlinkSocket::execute sends them all at once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel/ip_address.h"
#include "kernel/netlink.h"

namespace fermata::kernel {

using MacAddress = std::array<std::uint8_t, 6>;
std::string format_mac(const MacAddress& mac);

// A bridge that is up, without spanning tree and multicast snooping. An existing link of the name is left as
// it is.
void add_bridge(NetlinkBatch& batch, const std::string& name, const MacAddress& mac, int mtu);

struct VethSpec {
  std::string host_name;
  int master = 0;  // ifindex of the bridge
  std::string peer_name;
  int peer_namespace = -1;  // descriptor of a network namespace; the peer is born there
  MacAddress peer_mac{};
  int mtu = 1500;
};
// The host's end is up and a port of the bridge; the peer is left down. Fails with EEXIST when either name is
// taken.
void add_veth(NetlinkBatch& batch, const VethSpec& spec);
// A bridge port may send back where it came from: a pod reaches itself through its published port.
void set_hairpin(NetlinkBatch& batch, const std::string& port);
// It gets no IPv6 address by itself, and speaks for none: one that is a bridge port has no use for it. On a
// kernel or a link without IPv6 nothing is to be done.
void set_no_own_ipv6(NetlinkBatch& batch, const std::string& link);
void set_link_up(NetlinkBatch& batch, int index);
// Absent is success.
void delete_link(NetlinkBatch& batch, const std::string& name);
// Permanent, and usable at once: no duplicate address detection. An address that is there is success.
void add_address(NetlinkBatch& batch, int link, const IpAddress& address, int prefix);
void add_default_route(NetlinkBatch& batch, int link, const IpAddress& gateway);

struct Route {
  IpNetwork destination;
  int link = 0;  // 0: several or none
};
// Unicast routes of all tables, IPv4; default routes have prefix 0.
Result<std::vector<Route>> list_routes(NetlinkSocket& socket);
// The other end's ifindex of a veth (IFLA_LINK); 0 when the link is absent or no veth.
Result<int> peer_index(NetlinkSocket& socket, int index);

}  // namespace fermata::kernel
