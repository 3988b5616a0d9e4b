// Network interfaces on their way from one network namespace to another, with their addresses.
// rtnetlink(7), network_namespaces(7).
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "kernel/ip_address.h"
#include "kernel/netlink.h"

namespace fermata::kernel {

// An address that somebody gave to the interface for good (IFA_F_PERMANENT) and for the world
// (RT_SCOPE_UNIVERSE).
struct DeviceAddress {
  IpAddress local;
  IpAddress peer;       // the other end of a point-to-point link; else `local`
  IpAddress broadcast;  // AF_UNSPEC: none
  int prefix = 0;
  std::uint32_t metric = 0;    // of its route; 0: the kernel's own
  bool without_route = false;  // IFA_F_NOPREFIXROUTE
};

struct NetworkDevice {
  int index = 0;
  std::string name;
  bool up = false, loopback = false;
  std::vector<DeviceAddress> addresses;
};

// A network namespace and a socket in it.
struct NetworkPlace {
  UniqueFd space;
  NetlinkSocket socket;
  // `space`: of the type network.
  static Result<NetworkPlace> open(UniqueFd space);
};

// ErrorKind::not_found when there is none of the name.
Result<NetworkDevice> find_network_device(NetlinkSocket& socket, const std::string& name);

// Moves the device. `name` is its new one; with "%d" in it the kernel finds the number. Returns what it is at
// its new place, where it is down and has lost its addresses.
Result<NetworkDevice> move_network_device(NetworkPlace& from, const NetworkDevice& device, NetworkPlace& to,
                                          const std::string& name);
// Gives it its addresses again. `up`: and sets it up.
Result<void> restore_network_device(NetworkPlace& place, const NetworkDevice& device, bool up);

}  // namespace fermata::kernel
