// pidfd_open(2) and pidfd_send_signal(2) by number: glibc 2.36 declares them without extern "C", so that C++
// cannot link them; later releases are right.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/core/unique_fd.h"

namespace fermata::kernel {

// Invalid, with errno, when there is no such process. Close-on-exec from birth.
inline UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// 0 or -1 with errno.
inline int send_signal(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

}  // namespace fermata::kernel
