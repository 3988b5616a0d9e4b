// Which tracked UDP flows end when ports are published, or no longer are.
#pragma once

#include <vector>

#include "kernel/conntrack.h"
#include "network/records.h"

namespace fermata::network {

// Flows to this host on a port that is published now: they would go on to the host, past the pod.
Result<void> forget_flows_before(kernel::NetlinkSocket& netfilter, const std::vector<PortRecord>& ports);
// Flows that were translated to a pod that is going.
Result<void> forget_flows_to(kernel::NetlinkSocket& netfilter, const std::vector<PortRecord>& ports,
                             const AddressPool& pool);

}  // namespace fermata::network
