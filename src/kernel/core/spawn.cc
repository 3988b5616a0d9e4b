#include "kernel/core/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace fermata::kernel {
namespace {

// Shared by all children: we sleep until the one that uses it has left it (CLONE_VFORK).
alignas(64) unsigned char child_stack[16 * 1024];

std::uint64_t flags_of(const Spawn& what) {
  return what.flags | CLONE_VM | (what.stays ? 0 : static_cast<std::uint64_t>(CLONE_VFORK)) |
         (what.pidfd != nullptr ? static_cast<std::uint64_t>(CLONE_PIDFD) : 0);
}

// A sibling of ours tells our parent the way that we would; clone(2).
std::uint64_t exit_signal_of(const Spawn& what) {
  return what.stays || (what.flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
}

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
  arguments.flags = flags_of(what);
  arguments.exit_signal = exit_signal_of(what);
  arguments.stack = reinterpret_cast<std::uint64_t>(what.stack != nullptr ? what.stack : child_stack);
  arguments.stack_size = what.stack != nullptr ? what.stack_size : sizeof child_stack;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(what.pidfd);
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
  const int flags = static_cast<int>(flags_of(what) | exit_signal_of(what));
  unsigned char* top =
      what.stack != nullptr ? what.stack + what.stack_size : child_stack + sizeof child_stack;
  const int pid = ::clone(run_in_cgroup, top, flags, const_cast<Spawn*>(&what), what.pidfd);
  return pid < 0 ? -errno : pid;
}

#endif

}  // namespace

int spawn(const Spawn& what) { return static_cast<int>(start(what)); }

}  // namespace fermata::kernel
