// Sockets that hold published ports: nobody else can bind them, and one that is taken is noticed before
// anything is made.
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "network/network.h"

namespace fermata::network {

struct HeldPort {
  std::vector<UniqueFd> held;
  UniqueFd relay;  // on [::1]; empty when the port is not reachable there
};

// Binds what the mapping says, at `port`. EADDRINUSE is the error number when another has it.
Result<HeldPort> hold_port(const PortMapping& mapping, std::uint16_t port);

}  // namespace fermata::network
