#include "monitor/child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/core/spawn.h"
#include "monitor/inherited.h"
#include "monitor/text.h"

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

void enter_cgroups(ChildPlan& plan) {
  for (std::uint32_t i = 0; i < plan.v1_count; ++i)
    if (::write(plan.v1_tasks[i], "0", 1) < 0) fail_in(plan, Stage::cgroup);
}

void become_init(ChildPlan& plan) {
  // More descriptors than a program may be allowed to have are in the way meanwhile.
  if (!arrange_descriptors(plan)) fail_in(plan, Stage::clone);
  restore_inherited_state();
  const char* const arguments[] = {plan.name, nullptr};
  const char* const environment[] = {nullptr};
  ::syscall(SYS_execveat, plan.program, "", arguments, environment, AT_EMPTY_PATH);
  fail_in(plan, Stage::init);
}

void run_child(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  enter_cgroups(plan);
  become_init(plan);
}

int own_pid_namespace() {
  static const int fd = ::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  return fd;
}

// Shared with the child of a user namespace's.
struct Mapped {
  ChildPlan* plan;
  int pid = 0;
  int pidfd = -1;
};

alignas(64) unsigned char mapped_stack[16 * 1024];

void run_mapped(void* argument) { become_init(*static_cast<Mapped*>(argument)->plan); }

// While the host's privileges are there. Without them it is not an error: init goes as far as it may.
void set_limits(const ChildPlan& plan) {
  for (std::uint32_t i = 0; i < plan.limit_count; ++i) {
    rlimit limit = {plan.limits[i].soft, plan.limits[i].hard};
    // Init lowers it, when our own descriptors are out of the way.
    if (plan.limits[i].resource == RLIMIT_NOFILE) limit.rlim_cur = limit.rlim_max;
    static_cast<void>(::setrlimit(static_cast<__rlimit_resource_t>(plan.limits[i].resource), &limit));
  }
  if (plan.oom_score_adj == nullptr) return;
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  char text[24];
  const char* end = append_number(text, *plan.oom_score_adj);
  const ssize_t written = ::write(file, text, static_cast<std::size_t>(end - text));
  static_cast<void>(written);
  ::close(file);
}

// Its own descriptors are ours (CLONE_FILES), so that the pidfd of the second child is.
void run_first(void* argument) {
  auto& mapped = *static_cast<Mapped*>(argument);
  ChildPlan& plan = *mapped.plan;
  enter_cgroups(plan);
  set_limits(plan);
  // Here and not in the parent: then the number of the second child is counted in the parent's PID namespace.
  if (plan.pid_namespace >= 0 && ::setns(plan.pid_namespace, CLONE_NEWPID) != 0)
    fail_in(plan, Stage::namespaces);
  for (std::uint32_t i = 0; i < plan.joined_count; ++i)
    if (::setns(plan.joined[i], 0) != 0) fail_in(plan, Stage::namespaces);
  // The memory is our parent's: nobody in the namespace may trace the one who shows it there.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::setns(plan.user_namespace, CLONE_NEWUSER) != 0)
    fail_in(plan, Stage::namespaces);
  if (become_root() != 0) fail_in(plan, Stage::namespaces);
  const int pid =
      kernel::spawn({.flags = CLONE_PARENT | (plan.new_pid ? static_cast<std::uint64_t>(CLONE_NEWPID) : 0),
                     .run = run_mapped,
                     .argument = &mapped,
                     .pidfd = &mapped.pidfd,
                     .stack = mapped_stack,
                     .stack_size = sizeof mapped_stack});
  if (pid < 0) {
    errno = -pid;
    fail_in(plan, Stage::clone);
  }
  mapped.pid = pid;
  ::_exit(0);
}

void reap(int pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int fail_clone(ChildPlan& plan, int error) {
  plan.error = error;
  plan.stage = Stage::clone;
  return 0;
}

int start_mapped_child(ChildPlan& plan, int& pidfd) {
  Mapped mapped = {.plan = &plan};
  const int dumpable = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  const int first =
      kernel::spawn({.flags = CLONE_FILES, .cgroup = plan.cgroup_v2, .run = run_first, .argument = &mapped});
  if (first < 0) return fail_clone(plan, -first);
  // A change of credentials takes it from all who share the memory.
  if (dumpable == 1) ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  reap(first);
  pidfd = mapped.pidfd;
  if (plan.error == 0 && mapped.pid > 0) return mapped.pid;
  if (mapped.pid > 0) reap(mapped.pid);
  if (pidfd >= 0) ::close(pidfd);
  pidfd = -1;
  // Killed in between, by the kernel for want of memory perhaps.
  return plan.error == 0 ? fail_clone(plan, ECHILD) : 0;
}

int start_plain_child(ChildPlan& plan, int& pidfd) {
  const int own = plan.pid_namespace >= 0 ? own_pid_namespace() : -1;
  // For children only: a process stays in its own PID namespace for life. pid_namespaces(7).
  if (plan.pid_namespace >= 0 && (own < 0 || ::setns(plan.pid_namespace, CLONE_NEWPID) != 0)) {
    plan.error = errno;
    plan.stage = Stage::namespaces;
    return 0;
  }
  const int pid = kernel::spawn({.flags = plan.new_pid ? static_cast<std::uint64_t>(CLONE_NEWPID) : 0,
                                 .cgroup = plan.cgroup_v2,
                                 .run = run_child,
                                 .argument = &plan,
                                 .pidfd = &pidfd});
  if (own >= 0) ::setns(own, CLONE_NEWPID);
  if (pid < 0) return fail_clone(plan, -pid);
  if (plan.error == 0) return pid;
  reap(pid);
  ::close(pidfd);
  pidfd = -1;
  return 0;
}

}  // namespace

// By number: libc's own would act upon our parent's threads. EPERM: denied in this namespace; its owner may
// keep the groups then. user_namespaces(7).
int become_root() {
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 && errno != EPERM) return errno;
  if (::syscall(SYS_setresgid, 0, 0, 0) != 0 || ::syscall(SYS_setresuid, 0, 0, 0) != 0) return errno;
  return 0;
}

int start_child(ChildPlan& plan, int& pidfd) {
  return plan.user_namespace >= 0 ? start_mapped_child(plan, pidfd) : start_plain_child(plan, pidfd);
}

}  // namespace fermata::monitor
