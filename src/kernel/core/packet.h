// Bytes through a unix(7) socket, and at most one descriptor beside them (SCM_RIGHTS). Free of allocation and
// libc: results are 0, a size or -errno. Interrupted calls are repeated.
#pragma once

#include <cstddef>

#include "base/core/unique_fd.h"

namespace fermata::kernel {

// `descriptor`: borrowed; -1: none. No SIGPIPE: -EPIPE when nobody is there.
int send_packet(int socket, const void* bytes, std::size_t size, int descriptor = -1);

struct ReceivedPacket {
  long size = 0;        // 0: the end of the stream
  UniqueFd descriptor;  // close-on-exec; invalid: none came
};
ReceivedPacket receive_packet(int socket, void* bytes, std::size_t size);

}  // namespace fermata::kernel
