// What differs between processors: the system call instruction, the numbers, the kernel's sigaction layout
// and the entry point. Another architecture is another file with the same names. syscall(2), "Architecture
// calling conventions".
#pragma once

namespace fermata::pause {

inline constexpr long kSysWrite = 1;
inline constexpr long kSysSigaction = 13;    // rt_sigaction
inline constexpr long kSysSigprocmask = 14;  // rt_sigprocmask
inline constexpr long kSysGetpid = 39;
inline constexpr long kSysWait4 = 61;
inline constexpr long kSysSigtimedwait = 128;  // rt_sigtimedwait
inline constexpr long kSysPrctl = 157;
inline constexpr long kSysExitGroup = 231;

// The kernel's, not libc's: struct sigaction of <asm/signal.h>. `restorer` is for handlers, of which there
// are none.
struct SignalAction {
  unsigned long handler = 0;
  unsigned long flags = 0;
  unsigned long restorer = 0;
  unsigned long mask = 0;
};

// Returns -errno on failure.
inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long r10 asm("r10") = d;
  long result = number;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
}

}  // namespace fermata::pause

// The kernel enters with argc, argv and envp on the stack; the ABI wants it aligned at the call.
asm(R"(
.globl _start
_start:
  xorl %ebp, %ebp
  movq %rsp, %rdi
  andq $-16, %rsp
  call pause_main
  hlt
)");
