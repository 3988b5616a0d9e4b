// A process that another OCI runtime makes: its program is executed, leaves the process behind (as "detached"
// runtimes do) and tells its number in a file. We are a subreaper, so the process becomes our child; we stay
// as its parent until it ends, because the runtime has no process of its own that would.
//
// This runs in the host's namespaces, but for a mount namespace of its own, and outside the container's
// cgroup. Whoever started us is told the process's number in the credentials of Report::ready, and its pidfd
// with Report::started. A packet from there, or the end of it, kills the process, so that nothing runs on
// that nobody watches.
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include <cerrno>

#include "init/perform.h"
#include "init/reporter.h"
#include "kernel/core/packet.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr unsigned long kSignalSetSize = 8;
constexpr std::uint64_t kAllSignals = ~std::uint64_t{0}, kNoSignals = 0;
constexpr std::uint32_t kMostArguments = 64;
constexpr int kCannotExecute = 127;
constexpr timespec kConsolePatience = {.tv_sec = 10, .tv_nsec = 0};

// Where the descriptors are while we wait for the end. The standard streams give way: whoever reads the
// output waits for the end of all that hold them.
enum : int { kSignalsFd = 0, kKillFd = 1, kProcessFd = 2, kFirstUnusedFd = kReportFd + 1 };

struct Made {
  int pid = 0;
  UniqueFd pidfd;
  UniqueFd kill;  // cgroup.kill of its group; invalid: of v1
};

struct Arguments {
  const char* words[kMostArguments + 1];  // ends with a null pointer
};

// The words up to the next empty one; nullptr: there are none left, or too many. Returns where to go on.
const char* next_command(const char* at, const char* end, Arguments* command) {
  std::uint32_t count = 0;
  while (at < end && *at != 0) {
    if (count == kMostArguments) return nullptr;
    command->words[count++] = at;
    while (*at != 0) ++at;
    ++at;
  }
  command->words[count] = nullptr;
  return count == 0 ? nullptr : at + 1;
}

void block_signals(std::uint64_t set) {
  call(SYS_rt_sigprocmask, SIG_SETMASK, &set, nullptr, kSignalSetSize);
}

long start_program(const Arguments& command) {
  clone_args arguments = {};
  arguments.flags = CLONE_VFORK;
  arguments.exit_signal = SIGCHLD;
  const long pid = call(SYS_clone3, &arguments, sizeof arguments);
  if (pid != 0) return pid;
  block_signals(kNoSignals);
  call(SYS_umask, 022);
  const char* const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                     nullptr};
  call(SYS_execve, command.words[0], command.words, environment);
  for (;;) call(SYS_exit_group, kCannotExecute);
}

int wait_for(long pid, int options, int* status) {
  long got = 0;
  do got = call(SYS_wait4, pid, status, options, nullptr);
  while (got == -EINTR);
  return static_cast<int>(got);
}

void forget_signals(int signals) {
  char signal[128];  // struct signalfd_siginfo
  while (call(SYS_read, signals, signal, sizeof signal) > 0) {
  }
}

// True: told to end.
bool wait_for_event(int signals) {
  pollfd ready[] = {{kReportFd, POLLIN, 0}, {signals, POLLIN, 0}};
  call(SYS_ppoll, ready, 2, nullptr, nullptr, kSignalSetSize);
  forget_signals(signals);
  return ready[0].revents != 0;
}

// To its end, which must be a good one: else EPROTO. ECANCELED: we were told to end.
int run(const Arguments& command, int signals) {
  const long pid = start_program(command);
  if (pid < 0) return static_cast<int>(-pid);
  int status = 0;
  for (;;) {
    if (wait_for(pid, WNOHANG, &status) == pid) return status == 0 ? 0 : EPROTO;
    if (!wait_for_event(signals)) continue;
    call(SYS_kill, pid, SIGKILL);
    wait_for(pid, 0, &status);
    return ECANCELED;
  }
}

// The number in a runtime's pid file; 0: there is none.
int read_pid(const char* path) {
  const UniqueFd file(static_cast<int>(call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)));
  char text[16];
  const long got = file ? call(SYS_read, file.get(), text, sizeof text) : 0;
  int pid = 0;
  for (long i = 0; i < got && text[i] >= '0' && text[i] <= '9' && pid < 100'000'000; ++i)
    pid = pid * 10 + (text[i] - '0');
  return pid;
}

int adopt(const OpView& op, Made* made) {
  const int pid = read_pid(op.string(0));
  if (pid <= 1) return ESRCH;
  made->pidfd = UniqueFd(static_cast<int>(call(SYS_pidfd_open, pid, 0)));
  if (!made->pidfd) return -made->pidfd.get();
  // ECHILD: it is nobody's that the program has left, so we would not hear of its end.
  if (const long error = call(SYS_waitid, P_PID, pid, nullptr, WEXITED | WNOHANG | WNOWAIT, nullptr);
      error < 0)
    return static_cast<int>(-error);
  made->pid = pid;
  return 0;
}

// Decimal digits and a NUL; returns where the NUL is.
char* append_number(char* at, int number) {
  char digits[12];
  int count = 0;
  for (; number > 0; number /= 10) digits[count++] = static_cast<char>('0' + number % 10);
  while (count > 0) *at++ = digits[--count];
  *at = 0;
  return at;
}

char* append_text(char* at, const char* text) {
  while (*text != 0) *at++ = *text++;
  *at = 0;
  return at;
}

// A process and what it has started: the parent first, so that its next children are born there. 0 or an
// errno of the first.
int move_tree(int pid, int members, int depth) {
  char text[64];
  const long error = call(SYS_write, members, text, append_number(text, pid) - text);
  if (error < 0) return error == -ESRCH ? 0 : static_cast<int>(-error);  // it has ended already
  char* end = append_number(append_text(text, "/proc/"), pid);
  append_text(append_number(append_text(end, "/task/"), pid), "/children");
  const UniqueFd children(static_cast<int>(call(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC)));
  constexpr int kDeepest = 16;
  if (!children || depth == kDeepest) return 0;
  char list[1024];
  int child = 0;
  for (long got = 0; (got = call(SYS_read, children.get(), list, sizeof list)) > 0;)
    for (long i = 0; i < got; ++i) {
      if (list[i] >= '0' && list[i] <= '9') {
        child = child * 10 + (list[i] - '0');
      } else {
        if (child > 0) move_tree(child, members, depth + 1);
        child = 0;
      }
    }
  return 0;
}

// Of a v2 tree: where both are there a runtime may know that of v1 alone, and a command's own it does not
// know. A command may have started others before we get here.
int enter_group(const OpView& op, Made* made) {
  if (*op.string(1) == 0) return 0;
  // By its path: the runtime may have made the group anew.
  const UniqueFd group(
      static_cast<int>(call(SYS_openat, AT_FDCWD, op.string(1), O_PATH | O_DIRECTORY | O_CLOEXEC)));
  if (!group) return -group.get();
  made->kill = UniqueFd(static_cast<int>(call(SYS_openat, group.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC)));
  const UniqueFd members(
      static_cast<int>(call(SYS_openat, group.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC)));
  return members ? move_tree(made->pid, members.get(), 0) : -members.get();
}

// The master of the terminal, which the runtime has sent to the socket in the slot.
int pass_console(const OpView& op) {
  if (op.slot() < 0) return 0;
  const int listener = slot_fd(op);
  pollfd ready = {listener, POLLIN, 0};
  timespec patience = kConsolePatience;
  if (call(SYS_ppoll, &ready, 1, &patience, nullptr, kSignalSetSize) <= 0) return ETIMEDOUT;
  const UniqueFd connection(static_cast<int>(call(SYS_accept4, listener, nullptr, nullptr, SOCK_CLOEXEC)));
  if (!connection) return -connection.get();
  char name[256];
  const auto packet = kernel::receive_packet(connection.get(), name, sizeof name);
  if (packet.size < 0) return static_cast<int>(-packet.size);
  if (!packet.descriptor) return EBADMSG;
  return send_report({ReportKind::console, 0, 0}, packet.descriptor.get());
}

// In the name of the process, as a privileged sender may; unix(7), SCM_CREDENTIALS.
int report_ready(int pid) {
  Report report = {ReportKind::ready, 0, 0};
  iovec part = {&report, sizeof report};
  const ucred credentials = {.pid = pid, .uid = 0, .gid = 0};
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof credentials)] = {};
  auto* header = reinterpret_cast<cmsghdr*>(control);
  header->cmsg_len = CMSG_LEN(sizeof credentials);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  *reinterpret_cast<ucred*>(CMSG_DATA(header)) = credentials;
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long error = call(SYS_sendmsg, report_socket(), &message, MSG_NOSIGNAL);
  return error < 0 ? static_cast<int>(-error) : 0;
}

void kill_all(int process, int group) {
  if (group >= 0) call(SYS_write, group, "1", 1);
  call(SYS_pidfd_send_signal, process, SIGKILL, nullptr, 0);
}

// What is to be done once the process is there, in order.
int complete(const OpView& op, const char* commands, const char* end, int signals, Made* made) {
  if (const int error = enter_group(op, made); error != 0) return error;
  if (const int error = pass_console(op); error != 0) return error;
  if (const int error = report_ready(made->pid); error != 0) return error;
  Arguments command;
  while ((commands = next_command(commands, end, &command)) != nullptr)
    if (const int error = run(command, signals); error != 0) return error;
  return send_report({ReportKind::started, static_cast<std::uint32_t>(made->pid), 0}, made->pidfd.get());
}

void move_descriptor(const UniqueFd& from, int to) {
  if (from)
    call(SYS_dup3, from.get(), to, O_CLOEXEC);
  else
    call(SYS_close, to);
}

[[noreturn]] void end_with(int status) {
  const int signal = status & 0x7f;
  for (;;) call(SYS_exit_group, signal == 0 ? (status >> 8) & 0xff : 128 + signal);
}

// First what has ended already: the signal may have come while we waited for the runtime.
[[noreturn]] void watch(int pid, bool has_group) {
  for (;;) {
    int status = 0, ended = 0;
    while ((ended = wait_for(-1, WNOHANG, &status)) > 0)
      if (ended == pid) end_with(status);
    if (!wait_for_event(kSignalsFd)) continue;
    kill_all(kProcessFd, has_group ? kKillFd : -1);
    if (wait_for(pid, 0, &status) == pid) end_with(status);
  }
}

}  // namespace

int perform_run_foreign(const OpView& op) {
  // The strings lie one after the other; the last of them ends where the record's do.
  const char* end = op.strings();
  for (std::uint32_t i = 0; i < op.string_count(); ++i) {
    while (*end != 0) ++end;
    ++end;
  }
  const char* commands = op.strings();
  for (int i = 0; i < 2 && commands < end; ++i) {
    while (*commands != 0) ++commands;
    ++commands;
  }
  Arguments command;
  commands = next_command(commands, end, &command);
  if (commands == nullptr) return EINVAL;

  const std::uint64_t child_ended = std::uint64_t{1} << (SIGCHLD - 1);
  const UniqueFd signals(
      static_cast<int>(call(SYS_signalfd4, -1, &child_ended, kSignalSetSize, O_CLOEXEC | O_NONBLOCK)));
  if (!signals) return -signals.get();
  if (const long error = call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); error < 0)
    return static_cast<int>(-error);
  call(SYS_prctl, PR_SET_NAME, kForeignName, 0, 0, 0);
  block_signals(kAllSignals);
  if (const int error = run(command, signals.get()); error != 0) return error;
  Made made;
  if (const int error = adopt(op, &made); error != 0) return error;
  if (const int error = complete(op, commands, end, signals.get(), &made); error != 0) {
    int status = 0;
    kill_all(made.pidfd.get(), made.kill.get());
    wait_for(made.pid, 0, &status);
    return error;
  }
  const bool has_group = made.kill.valid();
  move_descriptor(signals, kSignalsFd);
  move_descriptor(made.kill, kKillFd);
  move_descriptor(made.pidfd, kProcessFd);
  call(SYS_close_range, kFirstUnusedFd, ~0U, 0);
  watch(made.pid, has_group);
}

}  // namespace fermata::init
