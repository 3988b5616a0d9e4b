// What fermata-init tells the monitor, one SOCK_SEQPACKET packet each on descriptor 3. The end of the stream
// without `failed` means that execve succeeded: the socket is close-on-exec. A supervisor keeps it, and says
// `started` instead.
#pragma once

#include <cstdint>

namespace fermata::init {

enum class ReportKind : std::uint32_t {
  ready = 1,  // the parent death signal is armed; or everything is done but what follows await_start
  console,    // one descriptor beside it (SCM_RIGHTS): the master of the terminal
  failed,     // the operation `op_index` failed with `error`; init exits next
  waiting,    // at the point `op_index` of a synchronize; any packet lets it go on
  listener,   // one descriptor beside it: the filter's notifications. seccomp_unotify(2)
  started,    // of supervise: the command has been executed (or has ended; `failed` says why); `op_index` is
              // its pid in its own PID namespace. One descriptor beside it: its pidfd
};

struct Report {
  ReportKind kind;
  std::uint32_t op_index;
  std::int32_t error;  // errno
};
// The op_index of a failure outside of any operation (an unreadable plan).
inline constexpr std::uint32_t kNoOp = 0xffffffff;

}  // namespace fermata::init
