#include "kernel/route.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <cerrno>

namespace fermata::kernel {
namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;

ifinfomsg link_header(int index, bool up) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  if (up) header.ifi_flags = header.ifi_change = IFF_UP;
  return header;
}

}  // namespace

std::string format_mac(const MacAddress& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4],
                     mac[5]);
}

void add_bridge(NetlinkBatch& batch, const std::string& name, const MacAddress& mac, int mtu) {
  batch.begin(RTM_NEWLINK, kCreate, fmt::format("create bridge '{}'", name), EEXIST);
  batch.header(link_header(0, true));
  batch.text(IFLA_IFNAME, name);
  // A bridge without an address of its own takes its ports' lowest, so that it would change while pods come
  // and go.
  batch.attribute(IFLA_ADDRESS, mac.data(), mac.size());
  batch.u32(IFLA_MTU, static_cast<std::uint32_t>(mtu));
  const std::size_t info = batch.nest_begin(IFLA_LINKINFO);
  batch.text(IFLA_INFO_KIND, "bridge");
  const std::size_t data = batch.nest_begin(IFLA_INFO_DATA);
  batch.u8(IFLA_BR_MCAST_SNOOPING, 0);
  batch.nest_end(data);
  batch.nest_end(info);
}

void add_veth(NetlinkBatch& batch, const VethSpec& spec) {
  batch.begin(RTM_NEWLINK, kCreate, fmt::format("create veth '{}'", spec.host_name));
  batch.header(link_header(0, true));
  batch.text(IFLA_IFNAME, spec.host_name);
  batch.u32(IFLA_MTU, static_cast<std::uint32_t>(spec.mtu));
  batch.u32(IFLA_MASTER, static_cast<std::uint32_t>(spec.master));
  const std::size_t info = batch.nest_begin(IFLA_LINKINFO);
  batch.text(IFLA_INFO_KIND, "veth");
  const std::size_t data = batch.nest_begin(IFLA_INFO_DATA);
  const std::size_t peer = batch.nest_begin(VETH_INFO_PEER);
  // Not up: the kernel configures this end before it knows the other, and opening it would be ENOTCONN.
  batch.header(link_header(0, false));
  batch.text(IFLA_IFNAME, spec.peer_name);
  batch.attribute(IFLA_ADDRESS, spec.peer_mac.data(), spec.peer_mac.size());
  batch.u32(IFLA_MTU, static_cast<std::uint32_t>(spec.mtu));
  batch.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(spec.peer_namespace));
  batch.nest_end(peer);
  batch.nest_end(data);
  batch.nest_end(info);
}

void set_hairpin(NetlinkBatch& batch, const std::string& port) {
  batch.begin(RTM_NEWLINK, NLM_F_ACK, fmt::format("set hairpin mode of '{}'", port));
  batch.header(link_header(0, false));
  batch.text(IFLA_IFNAME, port);
  const std::size_t info = batch.nest_begin(IFLA_LINKINFO);
  batch.text(IFLA_INFO_SLAVE_KIND, "bridge");
  const std::size_t data = batch.nest_begin(IFLA_INFO_SLAVE_DATA);
  batch.u8(IFLA_BRPORT_MODE, 1);
  batch.nest_end(data);
  batch.nest_end(info);
}

void set_no_own_ipv6(NetlinkBatch& batch, const std::string& link) {
  batch.begin(RTM_NEWLINK, NLM_F_ACK, fmt::format("keep '{}' without an IPv6 address", link), EAFNOSUPPORT);
  batch.header(link_header(0, false));
  batch.text(IFLA_IFNAME, link);
  const std::size_t families = batch.nest_begin(IFLA_AF_SPEC);
  const std::size_t ipv6 = batch.nest_begin(AF_INET6);
  batch.u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  batch.nest_end(ipv6);
  batch.nest_end(families);
}

void set_link_up(NetlinkBatch& batch, int index) {
  batch.begin(RTM_NEWLINK, NLM_F_ACK, fmt::format("set link {} up", index));
  batch.header(link_header(index, true));
}

void delete_link(NetlinkBatch& batch, const std::string& name) {
  batch.begin(RTM_DELLINK, NLM_F_ACK, fmt::format("delete link '{}'", name), ENODEV);
  batch.header(link_header(0, false));
  batch.text(IFLA_IFNAME, name);
}

void add_address(NetlinkBatch& batch, int link, const IpAddress& address, int prefix) {
  batch.begin(RTM_NEWADDR, kCreate, fmt::format("add address {}/{}", format_ip(address), prefix), EEXIST);
  ifaddrmsg header{};
  header.ifa_family = address.family;
  header.ifa_prefixlen = static_cast<std::uint8_t>(prefix);
  header.ifa_flags = IFA_F_PERMANENT | (address.family == AF_INET6 ? IFA_F_NODAD : 0);
  header.ifa_scope = RT_SCOPE_UNIVERSE;
  header.ifa_index = static_cast<unsigned>(link);
  batch.header(header);
  batch.bytes(IFA_LOCAL, address.view());
  batch.bytes(IFA_ADDRESS, address.view());
}

void add_default_route(NetlinkBatch& batch, int link, const IpAddress& gateway) {
  batch.begin(RTM_NEWROUTE, kCreate, fmt::format("add default route via {}", format_ip(gateway)), EEXIST);
  rtmsg header{};
  header.rtm_family = gateway.family;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_BOOT;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  batch.header(header);
  batch.bytes(RTA_GATEWAY, gateway.view());
  batch.u32(RTA_OIF, static_cast<std::uint32_t>(link));
}

Result<std::vector<Route>> list_routes(NetlinkSocket& socket) {
  NetlinkBatch batch;
  batch.begin(RTM_GETROUTE, NLM_F_DUMP, "list routes");
  rtmsg header{};
  header.rtm_family = AF_INET;
  batch.header(header);
  std::vector<Route> routes;
  TRY(socket.query(batch, [&routes](const NetlinkMessage& message) {
    std::string_view rest = message.payload;
    const auto route = take_header<rtmsg>(rest);
    if (message.type != RTM_NEWROUTE || !route || route->rtm_type != RTN_UNICAST || route->rtm_dst_len > 32)
      return;
    IpAddress destination{.family = AF_INET};
    if (const auto given = ip_from_bytes(find_attribute(rest, RTA_DST)); given && given->family == AF_INET)
      destination = *given;
    routes.push_back({network_of(destination, route->rtm_dst_len),
                      static_cast<int>(as_u32(find_attribute(rest, RTA_OIF)))});
  }));
  return routes;
}

Result<int> peer_index(NetlinkSocket& socket, int index) {
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, 0, fmt::format("look up link {}", index), ENODEV);
  batch.header(link_header(index, false));
  int peer = 0;
  TRY(socket.query(batch, [&peer](const NetlinkMessage& message) {
    std::string_view rest = message.payload;
    if (message.type != RTM_NEWLINK || !take_header<ifinfomsg>(rest)) return;
    peer = static_cast<int>(as_u32(find_attribute(rest, IFLA_LINK)));
  }));
  return peer;
}

}  // namespace fermata::kernel
