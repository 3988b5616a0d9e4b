// The bridge on the host, with its gateway addresses and the host's settings that a pod network needs.
#pragma once

#include <string>
#include <vector>

#include "kernel/netlink.h"
#include "network/address_pool.h"
#include "network/network.h"
#include "state/database.h"

namespace fermata::network {

struct HostBridge {
  AddressPool pool;
  int link = 0;
  int mtu = 1500;
  bool fresh = false;  // just made: whatever rules stand on this host are older
  std::vector<std::string> warnings;
};

// Makes the bridge if it is not there, or not finished. Under the lock.
Result<HostBridge> ensure_bridge(kernel::NetlinkSocket& route, state::Database& database,
                                 const Options& options);
// The bridge as the database knows it, nothing made; link 0 when there is none.
Result<HostBridge> find_bridge(kernel::NetlinkSocket& route, state::Database& database,
                               const Options& options);
// Absent is success.
Result<void> remove_bridge(kernel::NetlinkSocket& route, state::Database& database, const Options& options);

}  // namespace fermata::network
