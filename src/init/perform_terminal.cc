// The session and its controlling terminal. pty(7), ioctl_tty(2).
#include <asm/ioctls.h>
#include <asm/termios.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>

#include <cerrno>

#include "init/perform.h"
#include "init/reporter.h"
#include "kernel/core/raw.h"
#include "kernel/core/rooted.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr std::uint32_t kPtmxMajor = 5, kPtmxMinor = 2;
constexpr std::uint32_t kTypeMask = 0170000;
constexpr std::uint32_t kCharacterType = 0020000, kLinkType = 0120000;

int outcome(long result) { return result < 0 ? static_cast<int>(-result) : 0; }

// The multiplexer of the container's own devpts. What it is gets checked before it is opened for real: a
// container may have put anything there, and opening a device can have effects.
int open_master(int root) {
  const int found = kernel::rooted_open(root, "/dev/ptmx", O_PATH);
  if (found < 0) return found;
  const UniqueFd path(found);
  struct statx info = {};
  const long error = call(SYS_statx, found, "", AT_EMPTY_PATH, STATX_TYPE, &info);
  if (error < 0) return static_cast<int>(error);
  if ((info.stx_mode & kTypeMask) != kCharacterType || info.stx_rdev_major != kPtmxMajor ||
      info.stx_rdev_minor != kPtmxMinor)
    return -ENODEV;
  return kernel::rooted_open(root, "/dev/ptmx", O_RDWR | O_NOCTTY);
}

// The file itself, made if it is missing: a link in its place would have the terminal cover what it leads to
// (CVE-2025-52565).
int open_console_file(int root) {
  const UniqueFd made(kernel::rooted_make_file(root, "/dev/console", 0600));
  if (!made) return made.get();
  const int found = kernel::rooted_open(root, "/dev/console", O_PATH | O_NOFOLLOW);
  if (found < 0) return found;
  UniqueFd file(found);
  struct statx info = {};
  if (const long error = call(SYS_statx, found, "", AT_EMPTY_PATH, STATX_TYPE, &info); error < 0)
    return static_cast<int>(error);
  if ((info.stx_mode & kTypeMask) == kLinkType || is_procfs(found)) return -ELOOP;
  return file.release();
}

int bind_console(int root, int slave) {
  const int opened = open_console_file(root);
  if (opened < 0) return -opened;
  const UniqueFd target(opened);
  const long cloned = call(SYS_open_tree, slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (cloned < 0) return static_cast<int>(-cloned);
  const UniqueFd tree(static_cast<int>(cloned));
  return outcome(call(SYS_move_mount, tree.get(), "", target.get(), "",
                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

// Standard streams, and the controlling terminal of the session.
int take_over(int slave, const OpView& op) {
  for (int fd = 0; fd <= 2; ++fd)
    if (const long error = call(SYS_dup3, slave, fd, 0); error < 0) return static_cast<int>(-error);
  if (op.a() != 0 && op.b() != 0) {
    winsize size = {};
    size.ws_row = static_cast<unsigned short>(op.a());
    size.ws_col = static_cast<unsigned short>(op.b());
    if (const long error = call(SYS_ioctl, 0, TIOCSWINSZ, &size); error < 0) return static_cast<int>(-error);
  }
  return outcome(call(SYS_ioctl, 0, TIOCSCTTY, 0));
}

}  // namespace

int perform_new_session() {
  const long error = call(SYS_setsid);
  // EPERM: we lead a process group, and so a session of our own if the monitor made one.
  return error == -EPERM && call(SYS_getsid, 0) == call(SYS_getpid) ? 0 : outcome(error);
}

int perform_open_console(Stage& stage, const OpView& op) {
  if (!stage.root) {
    const long root = call(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return static_cast<int>(-root);
    stage.root.reset(static_cast<int>(root));
  }
  const int opened = open_master(stage.root.get());
  if (opened < 0) return -opened;
  const UniqueFd master(opened);
  const int unlock = 0;
  if (const long error = call(SYS_ioctl, opened, TIOCSPTLCK, &unlock); error < 0)
    return static_cast<int>(-error);
  // By the master, not by the name of the slave, which could lead elsewhere. Linux 4.13.
  const long peer = call(SYS_ioctl, opened, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (peer < 0) return static_cast<int>(-peer);
  const UniqueFd slave(static_cast<int>(peer));
  if (const int error = send_report({ReportKind::console, 0, 0}, opened); error != 0) return error;
  if (const int error = take_over(slave.get(), op); error != 0) return error;
  if (op.flags() & kNoConsoleBind) return 0;
  return bind_console(stage.root.get(), slave.get());
}

}  // namespace fermata::init
