// The pod's namespaces: made once, held by descriptors, so that the kernel frees them with the monitor.
#pragma once

#include <cstdint>

#include "monitor/protocol.h"

namespace fermata::monitor {

// Held until the monitor ends; nothing closes them before.
struct Namespaces {
  int net = -1, ipc = -1, uts = -1;  // -1: not made
  int mount = -1;                    // an empty root, with a tmpfs at /shm
  std::uint32_t flags = 0;
  bool made() const { return mount >= 0; }
};

// 0 or an errno. Nothing is mounted in our own mount namespace. A second call with the same flags changes
// nothing; with other flags it is EEXIST.
int make_namespaces(const Setup& setup, Namespaces& namespaces);

}  // namespace fermata::monitor
