#include "network/pod_link.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "kernel/network_namespace.h"

namespace fermata::network {
namespace {

// Of an interface, or of those to come ("default"). A kernel or a link without IPv6 has no such file.
Result<void> set_ipv6(const char* interface, const char* name, const char* value) {
  const std::string path = fmt::format("/proc/sys/net/ipv6/conf/{}/{}", interface, name);
  return ::access(path.c_str(), F_OK) == 0 ? write_kernel_file(path, value) : Result<void>();
}

// /proc/sys/net shows the namespace of the thread that opens it.
Result<void> apply_pod_sysctls() {
  TRY(write_kernel_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"));
  TRY(write_kernel_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"));
  // Addresses are ours to give, and one that waits for duplicates could not be used for its first second.
  return set_ipv6("default", "accept_dad", "0");
}

// The loopback interface has index 1 in every namespace.
constexpr int kLoopback = 1;

Result<void> create_pair(kernel::NetlinkSocket& route, int network_namespace, const HostBridge& bridge,
                         const kernel::IpAddress& address) {
  const std::string name = host_interface_of(address);
  const auto create = [&] {
    kernel::NetlinkBatch batch;
    kernel::add_veth(batch, {.host_name = name,
                             .master = bridge.link,
                             .peer_name = kPodInterface,
                             .peer_namespace = network_namespace,
                             .peer_mac = mac_of(address),
                             .mtu = bridge.mtu});
    kernel::set_hairpin(batch, name);
    // Its packets would go to every pod of the bridge, and its routes be looked through when any link goes.
    kernel::set_no_own_ipv6(batch, name);
    return route.execute(batch);
  };
  Result<void> created = create();
  if (created || created.error().error_number() != EEXIST) return created;
  // Of an earlier run of the same pod, whose namespace is dying or was never finished. Slow (30 ms), and
  // rare.
  kernel::NetlinkBatch batch;
  kernel::delete_link(batch, name);
  TRY(route.execute(batch));
  return create();
}

Result<void> configure_ipv6(kernel::NetlinkSocket& inside, int link, const AddressPool& pool,
                            const kernel::IpAddress& address) {
  kernel::NetlinkBatch batch;
  kernel::add_address(batch, link, pool.ipv6_of(address), pool.ipv6().prefix);
  kernel::add_default_route(batch, link, pool.ipv6_of(pool.gateway()));
  return inside.execute(batch);
}

}  // namespace

std::string host_interface_of(const kernel::IpAddress& address) {
  return fmt::format("veth{:02x}{:02x}{:02x}{:02x}", address.bytes[0], address.bytes[1], address.bytes[2],
                     address.bytes[3]);
}

Result<void> prepare_namespace(int network_namespace) {
  TRY(const kernel::NetworkNamespaceVisit visit, kernel::NetworkNamespaceVisit::enter(network_namespace));
  TRY(apply_pod_sysctls());
  TRY(kernel::NetlinkSocket inside, kernel::NetlinkSocket::open(NETLINK_ROUTE));
  kernel::NetlinkBatch batch;
  kernel::set_link_up(batch, kLoopback);
  return inside.execute(batch);
}

// From within the pod's namespace; `route` is the host's.
Result<int> attach_link(kernel::NetlinkSocket& route, int network_namespace, const HostBridge& bridge,
                        const Lease& lease, std::vector<std::string>& warnings) {
  TRY(const kernel::NetworkNamespaceVisit visit, kernel::NetworkNamespaceVisit::enter(network_namespace));
  TRY(apply_pod_sysctls());
  TRY(kernel::NetlinkSocket inside, kernel::NetlinkSocket::open(NETLINK_ROUTE));
  const std::string name = host_interface_of(lease.address);
  int link = inside.link_index(kPodInterface);
  if (link == 0) {
    TRY(create_pair(route, network_namespace, bridge, lease.address));
    link = inside.link_index(kPodInterface);
  } else {
    TRY(const int peer, kernel::peer_index(inside, link));
    if (peer == 0 || peer != route.link_index(name))
      return fail(ErrorKind::conflict, "the pod's network namespace has an '{}' that is not ours",
                  kPodInterface);
  }
  // There is no router but us. Asking for one would be heard by every pod of the bridge, and any of them
  // could answer.
  TRY(set_ipv6(kPodInterface, "accept_ra", "0"));
  // The groups of its addresses are reported to routers, each of them twice; the bridge, which does not
  // snoop, takes every report to every pod. Once will do: the second is a day away.
  TRY(set_ipv6(kPodInterface, "mldv2_unsolicited_report_interval", "86400000"));
  kernel::NetlinkBatch batch;
  kernel::set_link_up(batch, kLoopback);
  kernel::set_link_up(batch, link);
  kernel::add_address(batch, link, lease.address, bridge.pool.ipv4().prefix);
  kernel::add_default_route(batch, link, bridge.pool.gateway());
  TRY(inside.execute(batch));
  if (bridge.pool.has_ipv6())
    if (const Result<void> done = configure_ipv6(inside, link, bridge.pool, lease.address); !done)
      warnings.push_back(fmt::format("the pod has no IPv6: {}", done.error().message()));
  return route.link_index(name);
}

}  // namespace fermata::network
