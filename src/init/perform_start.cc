// Where a start is split in two: somebody else acts in between, or asks for the start later.
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/socket.h>

#include <cerrno>

#include "init/candidates.h"
#include "init/perform.h"
#include "init/reporter.h"
#include "kernel/core/packet.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr std::uint32_t kTypeMask = 0170000, kRegularType = 0100000;
constexpr std::uint32_t kAnyExecute = 0111;
constexpr int kFirstFreeFd = 3;  // of the container's program

int wait_for_packet(int socket) {
  char byte;
  for (;;) {
    const long got = call(SYS_read, socket, &byte, sizeof byte);
    if (got == -EINTR) continue;
    // The end of the stream: whoever was to go on has given up.
    return got > 0 ? 0 : got == 0 ? EPIPE : static_cast<int>(-got);
  }
}

// Accepts in the order that execve(2) would: what it is, then whether anybody may execute it.
int check_candidate(const char* path) {
  struct statx info = {};
  if (const long error = call(SYS_statx, AT_FDCWD, path, 0, STATX_TYPE | STATX_MODE, &info); error < 0)
    return static_cast<int>(-error);
  const bool executable = (info.stx_mode & kTypeMask) == kRegularType && (info.stx_mode & kAnyExecute) != 0;
  return executable ? 0 : EACCES;
}

}  // namespace

int perform_synchronize(const OpView& op) {
  const int socket = op.slot() < 0 ? report_socket() : slot_fd(op);
  const Report report = {ReportKind::waiting, static_cast<std::uint32_t>(op.a()), 0};
  if (const int error = kernel::send_packet(socket, &report, sizeof report); error != 0) return -error;
  return wait_for_packet(socket);
}

int perform_check_program(const OpView& op) {
  return try_each(op.strings(), op.string_count(), check_candidate);
}

int perform_await_start(const OpView& op) {
  if (const int error = send_report({ReportKind::ready, 0, 0}); error != 0) return error;
  long accepted;
  do accepted = call(SYS_accept4, slot_fd(op), nullptr, nullptr, SOCK_CLOEXEC);
  while (accepted == -EINTR || accepted == -ECONNABORTED);
  if (accepted < 0) return static_cast<int>(-accepted);
  use_report_socket(static_cast<int>(accepted));
  // Else the end of the connection could not be told from that of a process that was killed while it waited.
  return send_report({ReportKind::ready, 0, 0});
}

int perform_preserve_descriptors(const OpView& op) {
  const auto count = static_cast<int>(op.a());
  // Out of the way of the numbers that are wanted, and of the slots still to be read.
  const int moved = static_cast<int>(
      call(SYS_fcntl, report_socket(), F_DUPFD_CLOEXEC, kFirstSlotFd + op.slot() + count + kFirstFreeFd));
  if (moved < 0) return -moved;
  use_report_socket(moved);
  // Slot i stands at least two numbers above where it goes: none is overwritten before it was read.
  for (int i = 0; i < count; ++i)
    if (const long error = call(SYS_dup3, slot_fd(op) + i, kFirstFreeFd + i, 0); error < 0)
      return static_cast<int>(-error);
  return 0;
}

}  // namespace fermata::init
