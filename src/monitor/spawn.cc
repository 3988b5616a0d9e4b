#include "monitor/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace fermata::monitor {
namespace {

// Shared by all children: we sleep until the one that uses it has left it (CLONE_VFORK).
alignas(64) unsigned char child_stack[16 * 1024];
rlimit first_limit = {};
bool limit_raised = false;

#if defined(__x86_64__) || defined(__aarch64__)

// In assembly, because the child wakes up on another stack: it may not return into a frame of C++.
long clone_and_run(clone_args* arguments, void (*run)(void*), void* argument) {
#if defined(__x86_64__)
  long result;
  register void (*entry)(void*) asm("r8") = run;
  register void* value asm("r9") = argument;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r9, %%rdi\n\t"
      "call *%%r8\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(arguments), "S"(sizeof *arguments), "r"(entry), "r"(value)
      : "rcx", "r11", "memory", "cc");
  return result;
#else
  register long x8 asm("x8") = SYS_clone3;
  register long x0 asm("x0") = reinterpret_cast<long>(arguments);
  register long x1 asm("x1") = sizeof *arguments;
  register void (*x2)(void*) asm("x2") = run;
  register void* x3 asm("x3") = argument;
  asm volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x0, x3\n\t"
      "blr x2\n\t"
      "brk #0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3)
      : "memory", "cc");
  return x0;
#endif
}

long start(const Spawn& what) {
  clone_args arguments = {};
  arguments.flags = what.flags | CLONE_VM | CLONE_VFORK;
  // A sibling of ours tells our parent the way that we would; clone(2).
  arguments.exit_signal = (what.flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(what.stack != nullptr ? what.stack : child_stack);
  arguments.stack_size = what.stack != nullptr ? what.stack_size : sizeof child_stack;
  if (what.pidfd != nullptr) {
    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uint64_t>(what.pidfd);
  }
  if (what.cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(what.cgroup);
  }
  return clone_and_run(&arguments, what.run, what.argument);
}

#else

// Elsewhere libc's clone: the child moves itself into the cgroup.
int run_in_cgroup(void* argument) {
  const auto* what = static_cast<const Spawn*>(argument);
  if (what->cgroup >= 0) {
    const int procs = ::openat(what->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (procs < 0 || ::write(procs, "0", 1) < 0) _exit(125);
    ::close(procs);
  }
  what->run(what->argument);
  return 125;
}

long start(const Spawn& what) {
  const int flags = static_cast<int>(what.flags) | CLONE_VM | CLONE_VFORK | SIGCHLD |
                    (what.pidfd != nullptr ? CLONE_PIDFD : 0);
  unsigned char* top =
      what.stack != nullptr ? what.stack + what.stack_size : child_stack + sizeof child_stack;
  const int pid = ::clone(run_in_cgroup, top, flags, const_cast<Spawn*>(&what), what.pidfd);
  return pid < 0 ? -errno : pid;
}

#endif

}  // namespace

int spawn(const Spawn& what) { return static_cast<int>(start(what)); }

void restore_inherited_state() {
  // The hard one may have been changed since, for this child.
  rlimit limit = {};
  if (limit_raised && ::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = first_limit.rlim_cur < limit.rlim_max ? first_limit.rlim_cur : limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void prepare_own_state() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // Ignored signals survive exec, ours and the containers': whoever started us may have ignored SIGPIPE.
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number <= 64; ++number)
    if (number != SIGKILL && number != SIGSTOP) ::sigaction(number, &action, nullptr);
  if (::getrlimit(RLIMIT_NOFILE, &first_limit) != 0 || first_limit.rlim_cur >= first_limit.rlim_max) return;
  const rlimit raised = {first_limit.rlim_max, first_limit.rlim_max};
  limit_raised = ::setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

}  // namespace fermata::monitor
