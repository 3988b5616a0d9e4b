#include "init/supervisor_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>

#include "kernel/core/raw.h"

namespace fermata::init {

#if defined(__x86_64__) || defined(__aarch64__)
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#else
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

// restart_syscall is how the kernel goes on with a sleep that SIGSTOP and SIGCONT interrupted.
constexpr std::uint32_t kAllowed[] = {
    SYS_ppoll,   SYS_read,  SYS_wait4,   SYS_exit_group, SYS_write,     SYS_kill,           SYS_openat,
    SYS_fstatfs, SYS_close, SYS_pread64, SYS_pwrite64,   SYS_nanosleep, SYS_restart_syscall};
constexpr unsigned kCount = sizeof kAllowed / sizeof kAllowed[0];
constexpr unsigned kHead = 3;  // instructions before the list

constexpr sock_filter jump(std::uint32_t value, unsigned if_equal, unsigned otherwise) {
  return {BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint8_t>(if_equal),
          static_cast<std::uint8_t>(otherwise), value};
}
constexpr sock_filter load(std::size_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}
constexpr sock_filter give(std::uint32_t verdict) { return {BPF_RET | BPF_K, 0, 0, verdict}; }

struct Program {
  sock_filter code[kHead + kCount + 2];
};

// A number of another calling convention means another call: seccomp(2), "arch".
constexpr Program make_program() {
  Program program = {};
  program.code[0] = load(offsetof(seccomp_data, arch));
  program.code[1] = jump(kArchitecture, 0, kCount + 1);
  program.code[2] = load(offsetof(seccomp_data, nr));
  for (unsigned i = 0; i < kCount; ++i) program.code[kHead + i] = jump(kAllowed[i], kCount - i, 0);
  program.code[kHead + kCount] = give(SECCOMP_RET_KILL_PROCESS);
  program.code[kHead + kCount + 1] = give(SECCOMP_RET_ALLOW);
  return program;
}
constexpr Program kProgram = make_program();

}  // namespace

void load_supervisor_filter() {
  sock_fprog program = {};
  program.len = sizeof kProgram.code / sizeof kProgram.code[0];
  program.filter = const_cast<sock_filter*>(kProgram.code);
  kernel::raw::call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

#else

void load_supervisor_filter() {}

#endif

}  // namespace fermata::init
