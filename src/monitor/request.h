// A packet of a client, checked. Pure: nothing is trusted that has not passed here, and hostile input ends
// here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "monitor/protocol.h"

namespace fermata::monitor {

struct Request {
  Type type = Type::hello;
  std::uint32_t fd_count = 0;
  FdTag tags[kMaxFds];
  // By `type`. Ids are NUL-terminated, not empty, and made of letters, digits, '-', '_' and '.'.
  union Payload {
    Setup setup;
    Launch launch;
    Signal signal;
    Resize resize;
    Attach attach;
    Wait wait;  // also forget and reopen_log
    HoldPorts hold_ports;
    Frame frame;
  } payload;
  // What follows a Frame; points into the packet.
  const unsigned char* data = nullptr;
  std::uint32_t data_size = 0;
};

// 0 or an errno: EPROTO (not a packet of this protocol: short, sizes that do not add up, `received_fds` is
// not what the header says), EPROTONOSUPPORT (a version we do not speak; `hello` is answered in any), ENOSYS
// (a type we do not know), EINVAL (a payload that is too short or malformed).
int decode_request(const unsigned char* packet, std::size_t size, std::uint32_t received_fds,
                   Request& request);

}  // namespace fermata::monitor
