// A child as vfork makes it, with clone3's powers: it borrows our memory and runs on a stack of its own until
// it execs or exits, while we wait. So nothing is copied, and what it writes (why it failed) we can read.
//
// Not libc's clone(2): those who watch a process from within it, such as ThreadSanitizer, take that one for a
// fork, whose child has a memory of its own. clone(2), vfork(2).
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>

#include "kernel/core/raw.h"

namespace fermata::kernel {

struct Spawn {
  std::uint64_t flags = 0;       // CLONE_*; CLONE_VM and CLONE_VFORK are added
  int cgroup = -1;               // a cgroup v2 directory to be born in; -1: ours
  void (*run)(void*) = nullptr;  // in the child; must end in exec or exit. Calls only system calls
  void* argument = nullptr;
  int* pidfd = nullptr;  // where to put one, or nullptr
  // The child's stack; nullptr: one that all callers share, so a threaded one brings its own.
  unsigned char* stack = nullptr;
  std::size_t stack_size = 0;
  // It does not exec, and we do not wait: it may write to its stack alone, which must outlive it. Nobody is
  // told of its end (waitpid with __WALL).
  bool stays = false;
};

// The child's pid, or -errno.
int spawn(const Spawn& what);

// The end of such a child. libc's _exit is where those who watch a process count up what it has done, in notes
// that are ours.
[[noreturn]] inline void end_child(int status) {
  for (;;) raw::call(SYS_exit_group, status);
}

// No signal reaches this thread while it lives. Around `spawn` in a process with handlers: they must not run
// in a child, on our memory.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace fermata::kernel
