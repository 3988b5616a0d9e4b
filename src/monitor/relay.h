// Published ports on [::1], which DNAT cannot serve: traffic of a socket of the host is forwarded to an
// address in the pod's network. Bounded in connections, clients and time; a relay never holds anything else
// up.
#pragma once

#include "monitor/protocol.h"

namespace fermata::monitor {

// Takes over a listening TCP or a bound UDP socket. 0 or an errno, and then it is closed.
int open_relay(int fd, const RelayTarget& target);
int open_datagram_relay(int fd, const RelayTarget& target);

}  // namespace fermata::monitor
