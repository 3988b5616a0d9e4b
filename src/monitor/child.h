// The way from a clone to fermata-init: what the child does before it execs.
#pragma once

#include <cstdint>

#include "init/plan.h"
#include "monitor/protocol.h"

namespace fermata::monitor {

// All descriptors are borrowed. `fds`, which the child writes to, in the order that init/plan.h lays down:
// 0-2, the report socket, the plan, the slots.
struct ChildPlan {
  int* fds = nullptr;
  std::uint32_t fd_count = 0;
  int program = -1;
  const char* name = "fermata-init";  // what `ps` shows of it
  int pid_namespace = -1;
  bool new_pid = false;
  // The user namespace that the child is born in, as its user 0, so that it owns the new PID namespace too;
  // the child is a grandchild then, as far as it concerns anybody but the kernel.
  int user_namespace = -1;
  // Other namespaces, joined before: those of the host would not let a mapped user in. Of any type but mount
  // and time.
  const int* joined = nullptr;
  std::uint32_t joined_count = 0;
  int cgroup_v2 = -1;
  int v1_tasks[kMaxFds];
  std::uint32_t v1_count = 0;
  // Set before that one is joined, as far as it is allowed; init repeats them.
  const init::ResourceLimit* limits = nullptr;
  std::uint32_t limit_count = 0;
  const int* oom_score_adj = nullptr;
  // Set when it failed before init took over.
  int error = 0;
  Stage stage = Stage::none;
};

// For a child that shares its parent's memory and has joined a user namespace: its user 0, in no group but 0.
// 0 or an errno.
int become_root();

// The child's pid (with `pidfd`), or 0: then plan.error and plan.stage say why, and no child is left.
int start_child(ChildPlan& plan, int& pidfd);

}  // namespace fermata::monitor
