// The networks that a cluster gave this node for its pods: Node.spec.podCIDRs of Kubernetes. Kept in the
// database, so that they outlive whoever told them, until others are told.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/ip_address.h"
#include "state/database.h"

namespace fermata::network {

// At most one of each family, the first one is the primary. Host bits are zero.
using PodRanges = std::vector<kernel::IpNetwork>;

// "10.244.3.0/24", "10.244.3.0/24,fd00:10:244:3::/64"; errors name the part that is wrong.
Result<PodRanges> parse_pod_ranges(std::string_view text);
std::string format_pod_ranges(const PodRanges& ranges);
// "" when the built-in network can have addresses of it; else why it cannot.
std::string unsuited(const kernel::IpNetwork& range);

// Empty as long as nobody has told.
Result<PodRanges> recorded_pod_ranges(state::Database& database);
Result<void> record_pod_ranges(state::Database& database, const PodRanges& ranges);

}  // namespace fermata::network
