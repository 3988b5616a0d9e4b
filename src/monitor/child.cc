#include "monitor/child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "monitor/spawn.h"

namespace fermata::monitor {
namespace {

// Descriptors that stand where others must go are moved away first.
bool arrange_descriptors(ChildPlan& plan) {
  const int count = static_cast<int>(plan.fd_count);
  for (int i = 0; i < count; ++i) {
    if (plan.fds[i] >= count) continue;
    plan.fds[i] = ::fcntl(plan.fds[i], F_DUPFD_CLOEXEC, count);
    if (plan.fds[i] < 0) return false;
  }
  if (plan.program < count) plan.program = ::fcntl(plan.program, F_DUPFD_CLOEXEC, count);
  if (plan.program < 0) return false;
  for (int i = 0; i < count; ++i)
    if (::dup2(plan.fds[i], i) < 0) return false;
  return true;
}

void fail_in(ChildPlan& plan, Stage stage) {
  plan.error = errno;
  plan.stage = stage;
  ::_exit(125);
}

void run_child(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  for (std::uint32_t i = 0; i < plan.v1_count; ++i)
    if (::write(plan.v1_procs[i], "0", 1) < 0) fail_in(plan, Stage::cgroup);
  if (!arrange_descriptors(plan)) fail_in(plan, Stage::clone);
  restore_inherited_state();
  char name[] = "fermata-init";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  ::syscall(SYS_execveat, plan.program, "", arguments, environment, AT_EMPTY_PATH);
  fail_in(plan, Stage::init);
}

int own_pid_namespace() {
  static const int fd = ::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  return fd;
}

}  // namespace

int start_child(ChildPlan& plan, int& pidfd) {
  const int own = plan.pid_namespace >= 0 ? own_pid_namespace() : -1;
  // For children only: a process stays in its own PID namespace for life. pid_namespaces(7).
  if (plan.pid_namespace >= 0 && (own < 0 || ::setns(plan.pid_namespace, CLONE_NEWPID) != 0)) {
    plan.error = errno;
    plan.stage = Stage::namespaces;
    return 0;
  }
  const int pid = spawn({.flags = plan.new_pid ? static_cast<std::uint64_t>(CLONE_NEWPID) : 0,
                         .cgroup = plan.cgroup_v2,
                         .run = run_child,
                         .argument = &plan,
                         .pidfd = &pidfd});
  if (own >= 0) ::setns(own, CLONE_NEWPID);
  if (pid < 0) {
    plan.error = -pid;
    plan.stage = Stage::clone;
    return 0;
  }
  if (plan.error == 0) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  ::close(pidfd);
  pidfd = -1;
  return 0;
}

}  // namespace fermata::monitor
