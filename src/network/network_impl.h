// What Network is made of; for its own source files.
#pragma once

#include <functional>
#include <memory>

#include "kernel/netlink.h"
#include "network/host_bridge.h"
#include "network/network.h"
#include "network/records.h"

namespace fermata::network {

struct Sockets {
  kernel::NetlinkSocket route;
  kernel::NetlinkSocket netfilter;
};

struct Network::Impl {
  state::Database* database;
  Options options;
  std::unique_ptr<Sockets> kept;  // of the first operation's network namespace

  Result<std::reference_wrapper<Sockets>> open_sockets();
  Result<Lease> record(const std::string& pod, const HostBridge& bridge, const Reservation& reservation,
                       Sockets& sockets);
  // Nobody has changed any rule, ours or another's, since we did.
  Result<bool> rules_untouched(Sockets& sockets);
  Result<void> ensure_rules(const HostBridge& bridge, const std::string& without, Sockets& sockets,
                            std::vector<std::string>& warnings);
  Result<void> publish(const std::string& pod, const HostBridge& bridge, Sockets& sockets);
  Result<void> note_generation(Sockets& sockets);
  Result<void> unpublish(const std::string& pod, Sockets& sockets);
  Result<void> release(const std::string& pod, Sockets& sockets);
  // Those of the ranges that the bridge does not have, although they suit.
  Result<std::vector<std::string>> kept_pools(const PodRanges& ranges);
  Result<std::optional<std::int64_t>> idle_since();
  // The lock is held.
  Result<void> take_down();
};

}  // namespace fermata::network
