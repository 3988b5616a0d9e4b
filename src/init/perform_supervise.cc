// Staying behind for a command that was brought into a running container: as its parent and subreaper, so
// that all it starts, daemons too, can be ended and reaped, and nothing else.
//
// The supervisor is seen inside the container. It is not in the command's cgroup nor in the container's: no
// limit, freezer or out-of-memory kill of theirs holds it up. It keeps no descriptor, privilege or system
// call that it has no use for, because a container with CAP_SYS_PTRACE may take it over. If it is killed, the
// parent death signal takes the command, and the monitor the rest.
//
// While the child is on its way to execve it shares our descriptors' meaning (the report socket) but not our
// memory; CLONE_VFORK alone lets us sleep until it has executed its program or ended. vfork(2), clone(2).
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/vfs.h>
#include <time.h>

#include <cerrno>

#include "init/perform.h"
#include "init/reporter.h"
#include "init/supervisor_filter.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr unsigned long kSignalSetSize = 8;
constexpr std::uint64_t kAllSignals = ~std::uint64_t{0}, kNoSignals = 0;
constexpr int kWaitNoHang = 1;  // WNOHANG of wait4(2)

// Where the supervisor has its descriptors. The standard streams give way: whoever reads the command's output
// waits for the end of all that hold them.
enum : int { kSignalsFd = 0, kKillFd = 1, kMembersFd = 2, kFirstUnusedFd = kReportFd + 1 };

// How the command's cgroup is killed.
struct Group {
  UniqueFd kill;     // cgroup.kill; of v1 freezer.state
  UniqueFd members;  // of v1 only: tasks
};

struct Command {
  int pid = 0;
  int exit_code = 128 + SIGKILL;  // until it is reaped
  bool ended = false;
};

UniqueFd open_in(int directory, const char* name, int flags) {
  return UniqueFd(static_cast<int>(call(SYS_openat, directory, name, flags | O_CLOEXEC)));
}

int open_group(const OpView& op, Group* group) {
  const bool freezer = (op.flags() & kFreezer) != 0;
  // cgroup.kill: Linux 5.14. Retired with hosts that have no v2 tree: the freezer.
  group->kill =
      freezer ? open_in(slot_fd(op), "freezer.state", O_RDWR) : open_in(slot_fd(op), "cgroup.kill", O_WRONLY);
  if (!group->kill) return -group->kill.get();
  if (freezer) group->members = open_in(slot_fd(op), "tasks", O_RDWR);
  return freezer && !group->members ? -group->members.get() : 0;
}

void block_signals(std::uint64_t set) {
  call(SYS_rt_sigprocmask, SIG_SETMASK, &set, nullptr, kSignalSetSize);
}

long clone_command(const OpView& op, int* pidfd) {
  clone_args arguments = {};
  arguments.flags = CLONE_VFORK | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  arguments.exit_signal = SIGCHLD;
  if ((op.flags() & kFreezer) == 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(slot_fd(op));
  }
  return call(SYS_clone3, &arguments, sizeof arguments);
}

// In the child. The v2 group is the one it was born in.
int enter_groups(const OpView& op, const Group& group) {
  if (group.members)
    if (const long error = call(SYS_write, group.members.get(), "0", 1); error < 0)
      return static_cast<int>(-error);
  for (std::uint64_t i = 1; i <= op.a(); ++i)
    if (const long error = call(SYS_write, slot_fd(op) + static_cast<int>(i), "0", 1); error < 0)
      return static_cast<int>(-error);
  return 0;
}

void move_descriptor(const UniqueFd& from, int to) {
  if (from)
    call(SYS_dup3, from.get(), to, O_CLOEXEC);
  else
    call(SYS_close, to);
}

// CAP_KILL reaches a command that has become another user; nothing of what the host gave us is left besides.
// No step that takes something away can fail. In a user namespace we were the host's root without its powers,
// whose files are still ours; its own root, if it has one, is less.
void drop_privileges() {
  call(SYS_setresgid, 0, 0, 0);
  call(SYS_setresuid, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  data[0].effective = data[0].permitted = 1U << CAP_KILL;
  call(SYS_capset, &header, data);
  // Else a program executed as user 0 would get all of the bounding set back. capabilities(7).
  call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

// Every number in a file of pids that are separated by one character each.
void kill_listed(int file) {
  char text[1024];
  int pid = 0;
  for (;;) {
    const long got = call(SYS_read, file, text, sizeof text);
    if (got == -EINTR) continue;
    if (got <= 0) return;
    for (long i = 0; i < got; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
        continue;
      }
      if (pid > 1) call(SYS_kill, pid, SIGKILL);
      pid = 0;
    }
  }
}

// Frozen, nobody can fork away; what was killed meanwhile dies when it is thawed.
void kill_by_freezer() {
  constexpr int kRounds = 100;
  constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 1'000'000};
  call(SYS_pwrite64, kKillFd, "FROZEN", 6, 0);
  for (int round = 0; round < kRounds; ++round) {
    char state[3] = {};  // "FREEZING" until all have stopped, then "FROZEN"
    call(SYS_pread64, kKillFd, state, sizeof state, 0);
    if (state[2] == 'O') break;
    call(SYS_nanosleep, &kPause, nullptr);
  }
  kill_listed(kMembersFd);
  call(SYS_pwrite64, kKillFd, "THAWED", 6, 0);
}

// What has moved into another group can only be found as our own children, which the descendants become one
// after the other. The container has this /proc in its hands; but it names processes of its own only.
void kill_children() {
  const UniqueFd children = open_in(AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_NONBLOCK);
  struct statfs info = {};
  if (children && call(SYS_fstatfs, children.get(), &info) == 0 && info.f_type == PROC_SUPER_MAGIC)
    kill_listed(children.get());
}

// The pid that was reaped; 0: none has ended yet; -ECHILD: there is none.
long reap(Command* command, int options) {
  int status = 0;
  long pid = 0;
  do pid = call(SYS_wait4, -1, &status, options, nullptr);
  while (pid == -EINTR);
  if (pid == command->pid) {
    command->ended = true;
    const int signal = status & 0x7f;
    command->exit_code = signal == 0 ? (status >> 8) & 0xff : 128 + signal;
  }
  return pid;
}

[[noreturn]] void end(const Command& command) {
  for (;;) call(SYS_exit_group, command.exit_code);
}

[[noreturn]] void end_everything(Command command, bool freezer) {
  if (freezer)
    kill_by_freezer();
  else
    call(SYS_write, kKillFd, "1", 1);
  for (;;) {
    long pid = reap(&command, kWaitNoHang);
    if (pid == 0) {
      kill_children();
      pid = reap(&command, 0);
    }
    if (pid < 0) end(command);
  }
}

[[noreturn]] void watch(Command command, bool freezer) {
  for (;;) {
    pollfd ready[] = {{kReportFd, POLLIN, 0}, {kSignalsFd, POLLIN, 0}};
    call(SYS_ppoll, ready, 2, nullptr, nullptr, kSignalSetSize);
    if (ready[0].revents != 0) end_everything(command, freezer);
    if (ready[1].revents == 0) continue;
    char signal[128];  // struct signalfd_siginfo
    call(SYS_read, kSignalsFd, signal, sizeof signal);
    while (reap(&command, kWaitNoHang) > 0) {
    }
    // What it leaves running becomes a child of the container's first process, as with docker.
    if (command.ended) end(command);
  }
}

}  // namespace

int perform_supervise(const OpView& op) {
  Group group;
  if (const int error = open_group(op, &group); error != 0) return error;
  const std::uint64_t child_ended = std::uint64_t{1} << (SIGCHLD - 1);
  const UniqueFd signals(
      static_cast<int>(call(SYS_signalfd4, -1, &child_ended, kSignalSetSize, O_CLOEXEC | O_NONBLOCK)));
  if (!signals) return -signals.get();
  if (const long error = call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); error < 0)
    return static_cast<int>(-error);
  call(SYS_prctl, PR_SET_NAME, kSupervisorName, 0, 0, 0);
  block_signals(kAllSignals);  // the container's root may send any of them
  int pidfd = -1;
  const long pid = clone_command(op, &pidfd);
  if (pid <= 0) block_signals(kNoSignals);
  if (pid < 0) return static_cast<int>(-pid);
  if (pid == 0) return enter_groups(op, group);

  move_descriptor(signals, kSignalsFd);
  move_descriptor(group.kill, kKillFd);
  move_descriptor(group.members, kMembersFd);
  // Without a listener the socket's end is what we see next.
  static_cast<void>(send_report({ReportKind::started, static_cast<std::uint32_t>(pid), 0}, pidfd));
  call(SYS_close_range, kFirstUnusedFd, ~0U, 0);
  drop_privileges();
  load_supervisor_filter();
  watch({.pid = static_cast<int>(pid)}, (op.flags() & kFreezer) != 0);
}

}  // namespace fermata::init
