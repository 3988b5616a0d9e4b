#include "monitor/event_command.h"

#include <unistd.h>

#include "kernel/core/spawn.h"
#include "monitor/inherited.h"

namespace fermata::monitor::event_command {
namespace {

struct State {
  char** arguments = nullptr;
  char** environment = nullptr;
  int pid = 0;
  bool again = false;
};
constinit State state;

// The standard streams are ours: /dev/null.
void run_command(void*) {
  restore_inherited_state();
  ::execve(state.arguments[0], state.arguments, state.environment);
  ::_exit(127);
}

}  // namespace

void configure(char** arguments, char** environment) {
  state.arguments = arguments;
  state.environment = environment;
}

void notify() {
  if (state.arguments == nullptr || state.arguments[0] == nullptr) return;
  state.again = state.pid > 0;
  if (state.again) return;
  const int pid = kernel::spawn({.run = run_command});
  // Without a process to be had, the next event or the next command of the user catches up.
  if (pid > 0) state.pid = pid;
}

bool reaped(int pid) {
  if (pid != state.pid) return false;
  state.pid = 0;
  if (state.again) notify();
  return true;
}

}  // namespace fermata::monitor::event_command
