// A child as vfork makes it, with clone3's powers: it borrows our memory and runs on a stack of its own until
// it execs or exits, while we wait. So nothing is copied, and what it writes (why it failed) we can read.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fermata::monitor {

struct Spawn {
  std::uint64_t flags = 0;       // CLONE_*; CLONE_VM | CLONE_VFORK are added
  int cgroup = -1;               // a cgroup v2 directory to be born in; -1: ours
  void (*run)(void*) = nullptr;  // in the child; must end in exec or exit. Calls only system calls
  void* argument = nullptr;
  int* pidfd = nullptr;  // where to put one, or nullptr
  // The child's stack; nullptr: one that all callers share, so a threaded one brings its own.
  unsigned char* stack = nullptr;
  std::size_t stack_size = 0;
};

// The child's pid, or -errno.
int spawn(const Spawn& what);

// For the child: default signals, nothing blocked, our own first limits.
void restore_inherited_state();
// At the start of the monitor: blocks all signals, default actions, and as many descriptors as may be had.
void prepare_own_state();

}  // namespace fermata::monitor
