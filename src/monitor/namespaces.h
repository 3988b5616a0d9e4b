// The pod's namespaces: made once, held by descriptors, so that the kernel frees them with the monitor.
#pragma once

#include <cstdint>

#include "base/core/unique_fd.h"
#include "monitor/protocol.h"

namespace fermata::monitor {

// Held until the monitor ends; nothing closes them before.
struct Namespaces {
  int net = -1, ipc = -1, uts = -1;  // -1: not made
  int mount = -1;                    // an empty root, with a tmpfs at /shm
  int user = -1;                     // which owns the others; -1: ours does
  std::uint32_t flags = 0;
  bool made() const { return mount >= 0; }
};

// 0 or an errno. Nothing is mounted in our own mount namespace. `user_namespace`, taken: it is to own them,
// and its user 0 is mapped; invalid: ours does. A second call with the same flags changes nothing; with other
// flags it is EEXIST.
int make_namespaces(const Setup& setup, UniqueFd user_namespace, Namespaces& namespaces);

}  // namespace fermata::monitor
