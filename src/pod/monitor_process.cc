#include "pod/monitor_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/files.h"
#include "kernel/core/spawn.h"
#include "kernel/program.h"
#include "monitor/protocol.h"

namespace fermata::pod {
namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kStackSize = 16 * 1024;

Result<UniqueFd> open_listener(const std::string& run_directory) {
  TRY(const UniqueFd directory, open_file(run_directory, O_PATH | O_DIRECTORY));
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!listener) return fail(errno, "make the monitor's socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  *fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/{}", directory.get(),
                    kMonitorSocket)
       .out = '\0';
  if (::unlinkat(directory.get(), kMonitorSocket, 0) != 0 && errno != ENOENT)
    return fail(errno, "remove '{}/{}'", run_directory, kMonitorSocket);
  // Before bind, which takes the mode from here: whoever may connect may start processes as root.
  if (::fchmod(listener.get(), 0600) != 0 ||
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), kBacklog) != 0)
    return fail(errno, "listen on '{}/{}'", run_directory, kMonitorSocket);
  return listener;
}

// What the two children need. They share our memory, so they allocate nothing and only make system calls.
struct Birth {
  int program;
  char** arguments;
  const kernel::Cgroup::Handles* group;
  int listener;
  unsigned char* second_stack;
  int error = 0;
  bool in_group = false;
};

void run_monitor(void* argument) {
  auto& birth = *static_cast<Birth*>(argument);
  const int target = monitor::kListenFd;
  const bool placed =
      birth.listener == target ? ::fcntl(target, F_SETFD, 0) == 0 : ::dup2(birth.listener, target) >= 0;
  if (placed) ::syscall(SYS_execveat, birth.program, "", birth.arguments, environ, AT_EMPTY_PATH);
  birth.error = errno;
  kernel::end_child(127);
}

// Joins the v1 groups, has the monitor born in the v2 group, and is gone: so the monitor is nobody's child.
void run_between(void* argument) {
  auto& birth = *static_cast<Birth*>(argument);
  for (const UniqueFd& procs : birth.group->v1_tasks) {
    if (::write(procs.get(), "0", 1) >= 0) continue;
    birth.error = errno;
    kernel::end_child(127);
  }
  birth.in_group = true;
  const int pid = kernel::spawn({.cgroup = birth.group->v2.get(),
                                 .run = run_monitor,
                                 .argument = argument,
                                 .stack = birth.second_stack,
                                 .stack_size = kStackSize});
  if (pid < 0) birth.error = -pid;
  kernel::end_child(0);
}

}  // namespace

Result<void> spawn_monitor(const std::string& run_directory, const std::vector<std::string>& event_command,
                           const kernel::Cgroup::Handles& group, const std::string& program) {
  TRY(const UniqueFd listener, open_listener(run_directory));
  // Its children show it in the containers' PID namespaces until they execute init.
  TRY(UniqueFd file, kernel::open_program(program));
  // Not where the listening socket goes.
  if (file.get() == monitor::kListenFd)
    file.reset(::fcntl(file.get(), F_DUPFD_CLOEXEC, monitor::kListenFd + 1));
  if (!file) return fail(errno, "open '{}'", program);
  std::vector<char*> arguments = {const_cast<char*>("fermata-monitor")};
  for (const std::string& argument : event_command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  struct alignas(64) Stacks {
    unsigned char first[kStackSize], second[kStackSize];
  };
  const std::unique_ptr<Stacks> stacks(new Stacks);
  Birth birth = {.program = file.get(),
                 .arguments = arguments.data(),
                 .group = &group,
                 .listener = listener.get(),
                 .second_stack = stacks->second};
  {
    const kernel::BlockedSignals blocked;  // the monitor sets a mask of its own
    const int pid = kernel::spawn(
        {.run = run_between, .argument = &birth, .stack = stacks->first, .stack_size = kStackSize});
    if (pid < 0) return fail(-pid, "start '{}'", program);
    // It has called exit already, or spawn would not have returned.
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (birth.error == 0) return {};
  if (!birth.in_group) return fail(birth.error, "move the monitor into its control group");
  return fail(birth.error, "start '{}'", program);
}

}  // namespace fermata::pod
