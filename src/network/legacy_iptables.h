// The same for rules of the old iptables, which the kernel keeps apart from nftables: only the iptables
// program of that kind can change them. It is run when the old filter table is in use on this host, and
// nowhere else.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "state/database.h"

namespace fermata::network {

void open_legacy_chains(state::Database& database, const std::string& bridge,
                        std::vector<std::string>& warnings);
Result<void> close_legacy_chains(state::Database& database, const std::string& bridge);

}  // namespace fermata::network
