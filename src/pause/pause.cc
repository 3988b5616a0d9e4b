// pause: the first process of a pod. It holds the namespaces that the others join, reaps what they orphan,
// and sleeps until it is told to end.
//
// No libc and no handlers. Every signal is blocked and taken in one place by rt_sigtimedwait(2), so nothing
// is asynchronous. Children that die together may leave one SIGCHLD between them: each one is a reason to
// reap until nobody is left. Signals other than SIGINT, SIGTERM and SIGCHLD are taken and dropped, as PID 1
// would never see them.
#if defined(__x86_64__)
#include "arch_x86_64.h"
#else
#error "src/pause has no arch_*.h for this processor yet"
#endif

namespace fermata::pause {
namespace {

constexpr int kSigint = 2;
constexpr int kSigterm = 15;
constexpr int kSigchld = 17;
constexpr unsigned long kSaNocldstop = 1;
constexpr long kSigBlock = 0;
constexpr long kSignalSetSize = 8;  // bytes; the kernel's sigset_t has 64 signals here
constexpr long kWnohang = 1;
constexpr long kEintr = 4;
constexpr long kPrSetName = 15;
constexpr long kPrSetChildSubreaper = 36;

template <unsigned long size>
void print(long descriptor, const char (&text)[size]) {
  // A message that nobody can receive is not a reason to end the pod.
  system_call(kSysWrite, descriptor, reinterpret_cast<long>(text), size - 1);
}

[[noreturn]] void leave(long code) {
  for (;;) system_call(kSysExitGroup, code);
}

bool asks_for_version(const char* argument) {
  return argument[0] == '-' && (argument[1] | 0x20) == 'v' && argument[2] == '\0';
}

// A parent may have left SIGCHLD ignored; stopped children are no news.
bool use_default_action(int signal) {
  SignalAction action;
  if (signal == kSigchld) action.flags = kSaNocldstop;
  return system_call(kSysSigaction, signal, reinterpret_cast<long>(&action), 0, kSignalSetSize) == 0;
}

void reap_children() {
  while (system_call(kSysWait4, -1, 0, kWnohang) > 0) {
  }
}

// The exit code for the first signal that could not be prepared, 0 when all are.
int prepare_signals(const unsigned long& all_signals) {
  // Blocked first, so that none is lost or acted on in between.
  if (system_call(kSysSigprocmask, kSigBlock, reinterpret_cast<long>(&all_signals), 0, kSignalSetSize) != 0)
    return 1;
  if (!use_default_action(kSigint)) return 1;
  if (!use_default_action(kSigterm)) return 2;
  if (!use_default_action(kSigchld)) return 3;
  return 0;
}

[[noreturn]] void sleep_and_reap(const unsigned long& all_signals) {
  // Children that died before the signals were blocked left no signal behind.
  reap_children();
  for (;;) {
    const long taken =
        system_call(kSysSigtimedwait, reinterpret_cast<long>(&all_signals), 0, 0, kSignalSetSize);
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
  system_call(kSysPrctl, kPrSetName, reinterpret_cast<long>("pause"));
  if (system_call(kSysGetpid) != 1) {
    print(2, "Warning: pause should be the first process\n");
    // Orphans come to PID 1 by themselves; to anybody else only on request.
    system_call(kSysPrctl, kPrSetChildSubreaper, 1);
  }
  const unsigned long all_signals = ~0ul;
  if (const int code = prepare_signals(all_signals)) leave(code);
  sleep_and_reap(all_signals);
}

}  // namespace fermata::pause
