// The pod's end: loopback, settings of the namespace, and eth0 on a veth.
#pragma once

#include "kernel/netlink.h"
#include "network/host_bridge.h"
#include "network/records.h"

namespace fermata::network {

constexpr char kPodInterface[] = "eth0";

// "veth" and the address in hexadecimal.
std::string host_interface_of(const kernel::IpAddress& address);
// lo up, low ports and ping for everybody.
Result<void> prepare_namespace(int network_namespace);
// The pair, its addresses and routes; a pair that is there already is kept. Returns the ifindex of the host's
// end.
Result<int> attach_link(kernel::NetlinkSocket& route, int network_namespace, const HostBridge& bridge,
                        const Lease& lease, std::vector<std::string>& warnings);

}  // namespace fermata::network
