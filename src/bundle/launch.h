// From a plan to a process, without a monitor: init is our own child, and what it reports is read here.
#pragma once

#include <signal.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "kernel/cgroup.h"
#include "runtime/launch_plan.h"

namespace fermata::bundle {

// What `ps` shows of a process that has not executed its program yet.
inline constexpr std::string_view kInitName = "fermata-init";

// What is done as init reports. An error ends the launch.
struct Reactions {
  std::function<Result<void>(UniqueFd)> console;   // the terminal's master
  std::function<Result<void>(UniqueFd)> listener;  // of the seccomp filter's notifications
  std::function<Result<void>(int pid)> waiting;    // StartOptions::synchronize
};

struct Child {
  int pid = 0;
  UniqueFd pidfd;
};

// Where a child is born, and with what. Descriptors are borrowed.
struct Birthplace {
  std::string init_path;                           // of fermata-init
  const kernel::Cgroup::Handles* group = nullptr;  // nullptr: ours
  std::array<int, 3> streams = {0, 1, 2};
};

// Returns when init waits for its start, or has executed its program. After a failure no child is left.
Result<Child> launch(const runtime::LaunchPlan& plan, const std::vector<std::string>& args,
                     const Birthplace& place, const Reactions& reactions);

// Reacts to what comes through `socket` until init says that it is ready (it waits, or it goes on without
// anybody's doing), or has executed its program. `plan` needs no more than its ops and descriptions.
enum class Progress { ready, executed };
Result<Progress> follow(int socket, int pid, const runtime::LaunchPlan& plan,
                        const std::vector<std::string>& args, const Reactions& reactions);

// SIGKILL, and its zombie is gone too.
void end_child(const Child& child);
// Its wait status as waitid(2) has it; nullopt: it still runs at the end of the time. Less than 0: no end of
// the time.
Result<std::optional<siginfo_t>> wait_child(const Child& child, int milliseconds);

// Moves descriptors through a socket. `bytes` travel beside it.
Result<void> send_descriptor(int socket, int descriptor, std::string_view bytes);

}  // namespace fermata::bundle
