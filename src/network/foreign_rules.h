// Room for our traffic in other firewalls. A packet that is forwarded passes every base chain of the hook,
// and one that drops it wins over all that accept. So where docker, ufw, firewalld or somebody by hand lets
// nothing through by default, two rules of ours (from the bridge, to the bridge: accept) go to the head of
// that very chain. They carry the bridge's name in a comment, by which they are found again.
#pragma once

#include <string>
#include <vector>

#include "kernel/nftables.h"
#include "state/database.h"

namespace fermata::network {

// Which chains need our rules, of all there are: a base chain at the forward hook that drops by default, or
// firewalld's, which rejects in its last rule; docker's DOCKER-USER in its place where it exists. Pure.
std::vector<kernel::NftChain> plan_foreign_chains(const std::vector<kernel::NftChain>& chains,
                                                  const std::string& own_table);

// Puts our rules where they are missing. The chains are recorded first. What could not be done is a warning.
Result<void> open_foreign_chains(kernel::NetlinkSocket& netfilter, state::Database& database,
                                 const std::string& bridge, std::vector<std::string>& warnings);
// Takes our rules out of the recorded chains. Absent is success.
Result<void> close_foreign_chains(kernel::NetlinkSocket& netfilter, state::Database& database,
                                  const std::string& bridge);

}  // namespace fermata::network
