// What fermata-init tells the monitor, one SOCK_SEQPACKET packet each on descriptor 3. The end of the stream
// without `failed` means that execve succeeded: the socket is close-on-exec.
#pragma once

#include <cstdint>

namespace fermata::init {

enum class ReportKind : std::uint32_t {
  ready = 1,  // the parent death signal is armed
  console,    // one descriptor beside it (SCM_RIGHTS): the master of the terminal
  failed,     // the operation `op_index` failed with `error`; init exits next
};

struct Report {
  ReportKind kind;
  std::uint32_t op_index;
  std::int32_t error;  // errno
};
// The op_index of a failure outside of any operation (an unreadable plan).
inline constexpr std::uint32_t kNoOp = 0xffffffff;

}  // namespace fermata::init
