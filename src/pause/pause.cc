// pause: the first process of a pod. It holds the namespaces that the others join, reaps what they orphan,
// and sleeps until it is told to end.
//
// No libc and no handlers. Every signal is blocked and taken in one place by rt_sigtimedwait(2), so nothing
// is asynchronous. Children that die together may leave one SIGCHLD between them: each one is a reason to
// reap until nobody is left. Signals other than SIGINT, SIGTERM and SIGCHLD stay blocked and never wake it: a
// process of the pod cannot keep it busy.
#include <asm/unistd.h>

// What differs between processors: the system call instruction and the entry point. The numbers are the
// kernel headers'. A file of arch/ has system_call(), which returns -errno on failure, and _start, which
// calls pause_main with the stack pointer as the kernel left it. syscall(2), "Architecture calling
// conventions"; each processor's ELF ABI supplement.
#if defined(__x86_64__)
#include "arch/x86_64.h"
#elif defined(__i386__)
#include "arch/i386.h"
#elif defined(__aarch64__)
#include "arch/aarch64.h"
#elif defined(__arm__)
#include "arch/arm.h"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#include "arch/powerpc64le.h"
#elif defined(__s390x__)
#include "arch/s390x.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "arch/riscv64.h"
#else
#error "pause has no file in arch/ for this processor"
#endif

namespace fermata::pause {
namespace {

constexpr int kSigint = 2;
constexpr int kSigterm = 15;
constexpr int kSigchld = 17;
constexpr unsigned long kSaNocldstop = 1;
constexpr long kSigBlock = 0;
using SignalSet = unsigned long long;  // the kernel's sigset_t has 64 signals on all these processors
constexpr long kWnohang = 1;
constexpr long kEintr = 4;
constexpr long kPrSetName = 15;
constexpr long kPrSetChildSubreaper = 36;

// The kernel's struct sigaction of <asm/signal.h>. Some processors have no `restorer`, so that the mask
// stands in its place there; both are zero.
struct SignalAction {
  unsigned long handler = 0;
  unsigned long flags = 0;
  unsigned long restorer = 0;
  SignalSet mask = 0;
};

template <unsigned long size>
void print(long descriptor, const char (&text)[size]) {
  // A message that nobody can receive is not a reason to end the pod.
  system_call(__NR_write, descriptor, reinterpret_cast<long>(text), size - 1);
}

[[noreturn]] void leave(long code) {
  for (;;) system_call(__NR_exit_group, code);
}

bool asks_for_version(const char* argument) {
  return argument[0] == '-' && (argument[1] | 0x20) == 'v' && argument[2] == '\0';
}

// A parent may have left SIGCHLD ignored; stopped children are no news.
bool use_default_action(int signal) {
  // Constants: compilers would call memset(3) for a variable.
  static constexpr SignalAction kDefault, kNoStops = {.flags = kSaNocldstop};
  const SignalAction* action = signal == kSigchld ? &kNoStops : &kDefault;
  return system_call(__NR_rt_sigaction, signal, reinterpret_cast<long>(action), 0, sizeof(SignalSet)) == 0;
}

void reap_children() {
  while (system_call(__NR_wait4, -1, 0, kWnohang) > 0) {
  }
}

// The exit code for the first signal that could not be prepared, 0 when all are.
int prepare_signals() {
  static constexpr SignalSet kAll = ~0ull;
  // Blocked first, so that none is lost or acted on in between.
  if (system_call(__NR_rt_sigprocmask, kSigBlock, reinterpret_cast<long>(&kAll), 0, sizeof(SignalSet)) != 0)
    return 1;
  if (!use_default_action(kSigint)) return 1;
  if (!use_default_action(kSigterm)) return 2;
  if (!use_default_action(kSigchld)) return 3;
  return 0;
}

constexpr SignalSet bit(int signal) { return 1ull << (signal - 1); }

[[noreturn]] void sleep_and_reap() {
  static constexpr SignalSet kAwaited = bit(kSigint) | bit(kSigterm) | bit(kSigchld);
  // Children that died before the signals were blocked left no signal behind.
  reap_children();
  for (;;) {
    const long taken =
        system_call(__NR_rt_sigtimedwait, reinterpret_cast<long>(&kAwaited), 0, 0, sizeof(SignalSet));
    if (taken == kSigchld) {
      reap_children();
    } else if (taken == kSigint) {
      print(2, "Shutting down, got signal: Interrupt\n");
      leave(0);
    } else if (taken == kSigterm) {
      print(2, "Shutting down, got signal: Terminated\n");
      leave(0);
    } else if (taken < 0 && taken != -kEintr) {  // EINTR: SIGSTOP and SIGCONT, a debugger, the freezer
      print(2, "Error: infinite loop terminated\n");
      leave(42);
    }
  }
}

}  // namespace

// `stack` is what the kernel left there: argc, then the arguments.
extern "C" [[noreturn, gnu::used]] void pause_main(const long* stack) {
  const long count = stack[0];
  const auto* arguments = reinterpret_cast<const char* const*>(stack + 1);
  for (long i = 1; i < count; ++i) {
    if (asks_for_version(arguments[i])) {
      print(1, "fermata pause " FERMATA_VERSION "\n");
      leave(0);
    }
  }

  // Started through a descriptor, the kernel would call it after that: "3", "exe".
  system_call(__NR_prctl, kPrSetName, reinterpret_cast<long>("pause"));
  if (system_call(__NR_getpid) != 1) {
    print(2, "Warning: pause should be the first process\n");
    // Orphans come to PID 1 by themselves; to anybody else only on request.
    system_call(__NR_prctl, kPrSetChildSubreaper, 1);
  }
  if (const int code = prepare_signals()) leave(code);
  sleep_and_reap();
}

}  // namespace fermata::pause
