// What the database knows about pod networks: tables `leases`, `ports` and `network` (settings).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "network/address_pool.h"
#include "network/network.h"
#include "state/database.h"

namespace fermata::network {

struct Lease {
  kernel::IpAddress address;
  int link = 0;  // ifindex of the host's side; 0: not made yet
};

struct PortRecord {
  PortMapping mapping;
  kernel::IpAddress address;  // of the pod's lease
};

// "" when it is not set.
Result<std::string> setting(state::Database& database, std::string_view key);
Result<void> set_setting(state::Database& database, std::string_view key, std::string_view value);
Result<void> forget_setting(state::Database& database, std::string_view key);

Result<std::optional<Lease>> find_lease(state::Database& database, const std::string& pod);
// The pod's lease, or a new one: an address never used, else the longest unused whose link is gone. In a
// transaction.
Result<Lease> take_lease(state::Database& database, const std::string& pod, const AddressPool& pool,
                         const std::function<bool(int)>& link_exists);
Result<void> set_lease_link(state::Database& database, const std::string& pod, int link);
Result<void> end_lease(state::Database& database, const std::string& pod);
Result<bool> any_lease(state::Database& database);
// When a lease ended last, ns of CLOCK_REALTIME; 0: none is remembered.
Result<std::int64_t> last_lease_end(state::Database& database);

// Rows of a pod that has gone without a trace are taken over. In a transaction.
Result<void> put_ports(state::Database& database, const std::string& pod,
                       const std::vector<PortMapping>& ports);
Result<void> delete_ports(state::Database& database, const std::string& pod);
Result<std::vector<PortRecord>> ports_of(state::Database& database, const std::string& pod);
// Of all pods but one.
Result<std::vector<PortRecord>> ports_except(state::Database& database, const std::string& pod);
// Which container holds the port, as a user knows it: a name of its pod; nullopt: none of ours.
Result<std::optional<std::string>> port_holder(state::Database& database, const PortMapping& mapping,
                                               std::uint16_t port);

}  // namespace fermata::network
