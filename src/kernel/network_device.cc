#include "kernel/network_device.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "kernel/network_namespace.h"
#include "kernel/route.h"

namespace fermata::kernel {
namespace {

ifinfomsg link_header(int index) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  return header;
}

std::optional<DeviceAddress> read_address(const ifaddrmsg& header, std::string_view attributes) {
  // The old field has room for eight flags only; rtnetlink(7), IFA_FLAGS, Linux 3.14.
  const std::string_view wide = find_attribute(attributes, IFA_FLAGS);
  const std::uint32_t flags = wide.empty() ? header.ifa_flags : as_u32(wide);
  if ((flags & IFA_F_PERMANENT) == 0 || header.ifa_scope != RT_SCOPE_UNIVERSE) return std::nullopt;
  const auto address = ip_from_bytes(find_attribute(attributes, IFA_ADDRESS));
  const auto local = ip_from_bytes(find_attribute(attributes, IFA_LOCAL));
  if (!address) return std::nullopt;
  return DeviceAddress{
      .local = local.value_or(*address),
      .peer = *address,
      .broadcast = ip_from_bytes(find_attribute(attributes, IFA_BROADCAST)).value_or(IpAddress{}),
      .prefix = header.ifa_prefixlen,
      .metric = as_u32(find_attribute(attributes, IFA_RT_PRIORITY)),
      .without_route = (flags & IFA_F_NOPREFIXROUTE) != 0};
}

Result<std::vector<DeviceAddress>> list_addresses(NetlinkSocket& socket, const NetworkDevice& device) {
  NetlinkBatch batch;
  batch.begin(RTM_GETADDR, NLM_F_DUMP, "list addresses");
  batch.header(ifaddrmsg{});
  std::vector<DeviceAddress> addresses;
  TRY(socket.query(batch, [&](const NetlinkMessage& message) {
    std::string_view rest = message.payload;
    const auto header = take_header<ifaddrmsg>(rest);
    if (message.type != RTM_NEWADDR || !header || static_cast<int>(header->ifa_index) != device.index) return;
    if (auto address = read_address(*header, rest)) addresses.push_back(*address);
  }));
  return addresses;
}

void add_device_address(NetlinkBatch& batch, int link, const DeviceAddress& address) {
  batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
              fmt::format("add address {}/{}", format_ip(address.local), address.prefix), EEXIST);
  ifaddrmsg header{};
  header.ifa_family = address.local.family;
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix);
  header.ifa_scope = RT_SCOPE_UNIVERSE;
  header.ifa_index = static_cast<unsigned>(link);
  batch.header(header);
  batch.bytes(IFA_LOCAL, address.local.view());
  batch.bytes(IFA_ADDRESS, address.peer.view());
  if (address.broadcast.family != AF_UNSPEC) batch.bytes(IFA_BROADCAST, address.broadcast.view());
  // It was looked for on this very link already: usable at once, without another look for duplicates.
  batch.u32(IFA_FLAGS, IFA_F_PERMANENT | (address.local.family == AF_INET6 ? IFA_F_NODAD : 0) |
                           (address.without_route ? IFA_F_NOPREFIXROUTE : 0));
  if (address.metric != 0) batch.u32(IFA_RT_PRIORITY, address.metric);
}

Result<std::set<int>> list_links(NetlinkSocket& socket) {
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, NLM_F_DUMP, "list links");
  batch.header(link_header(0));
  std::set<int> links;
  TRY(socket.query(batch, [&](const NetlinkMessage& message) {
    std::string_view rest = message.payload;
    const auto header = take_header<ifinfomsg>(rest);
    if (message.type == RTM_NEWLINK && header) links.insert(header->ifi_index);
  }));
  return links;
}

Result<void> send_away(NetlinkSocket& socket, const NetworkDevice& device, int space,
                       const std::string& name) {
  NetlinkBatch batch;
  // The kernel takes it down for the move by itself, and does both or neither of move and new name when the
  // old one is taken there.
  batch.begin(RTM_NEWLINK, NLM_F_ACK, fmt::format("move '{}'", device.name));
  batch.header(link_header(device.index));
  batch.text(IFLA_IFNAME, name);
  batch.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(space));
  return socket.execute(batch);
}

}  // namespace

Result<NetworkPlace> NetworkPlace::open(UniqueFd space) {
  TRY(const auto visit, NetworkNamespaceVisit::enter(space.get()));
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  return NetworkPlace{std::move(space), std::move(socket)};
}

Result<NetworkDevice> find_network_device(NetlinkSocket& socket, const std::string& name) {
  NetworkDevice device{.index = socket.link_index(name), .name = name};
  if (device.index == 0) return fail(ErrorKind::not_found, "there is no interface '{}'", name);
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, 0, fmt::format("look up link '{}'", name));
  batch.header(link_header(device.index));
  TRY(socket.query(batch, [&](const NetlinkMessage& message) {
    std::string_view rest = message.payload;
    const auto header = take_header<ifinfomsg>(rest);
    if (message.type != RTM_NEWLINK || !header) return;
    device.up = (header->ifi_flags & IFF_UP) != 0;
    device.loopback = (header->ifi_flags & IFF_LOOPBACK) != 0;
  }));
  TRY(device.addresses, list_addresses(socket, device));
  return device;
}

Result<NetworkDevice> move_network_device(NetworkPlace& from, const NetworkDevice& device, NetworkPlace& to,
                                          const std::string& name) {
  TRY(const auto before, list_links(to.socket));
  TRY(send_away(from.socket, device, to.space.get(), name));
  TRY(const auto after, list_links(to.socket));
  // Its number stays only where it is free.
  const auto arrived =
      std::find_if(after.begin(), after.end(), [&](int index) { return before.count(index) == 0; });
  if (arrived == after.end())
    return fail(ErrorKind::failed, "the interface '{}' has gone while it was moved", device.name);
  NetworkDevice moved = device;
  moved.index = *arrived;
  moved.name = to.socket.link_name(*arrived);
  return moved;
}

Result<void> restore_network_device(NetworkPlace& place, const NetworkDevice& device, bool up) {
  NetlinkBatch batch;
  // Up first: while it is down it has no IPv6, and would lose such addresses once it comes up.
  if (up) set_link_up(batch, device.index);
  for (const DeviceAddress& address : device.addresses) add_device_address(batch, device.index, address);
  if (batch.empty()) return {};
  if (auto restored = place.socket.execute(batch); !restored)
    return fail_with(std::move(restored.error()), fmt::format("interface '{}'", device.name));
  return {};
}

}  // namespace fermata::kernel
