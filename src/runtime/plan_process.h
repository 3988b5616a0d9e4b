// The parts of a plan that make a process out of init, from the oom score to execve. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "oci/runtime_spec.h"
#include "runtime/launch_plan.h"
#include "runtime/plan_builder.h"

namespace fermata::runtime {

// Where a process comes to be, as far as it makes a difference to its plan.
struct ProcessPlace {
  int seccomp_program = -1;         // borrowed
  bool make_cwd = false;            // a working directory that is missing is made
  bool mapped = false;              // in a user namespace, which may deny setgroups(2)
  std::uint32_t console_flags = 0;  // of init::Op::open_console
};

// While the host's /proc is in sight. Lowering needs CAP_SYS_RESOURCE, which not every host has: the process
// then keeps what it has.
void plan_oom_score(const oci::Process& process, PlanBuilder* plan);
// Hard limits and an oom score that only the host's privileges allow, by whoever starts init.
Result<void> plan_host_limits(const oci::Process& process, PlanBuilder* plan);
// The same by init, before it joins a user namespace.
Result<void> plan_rlimits(const oci::Process& process, PlanBuilder* plan);
// The last operation. The files that the program may stand for are tried in turn.
void plan_execute(const oci::Process& process, std::vector<std::string> candidates, PlanBuilder* plan);
// In the container's file system.
Result<void> plan_process(const oci::Process& process, const ProcessPlace& place, const StartOptions& options,
                          PlanBuilder* plan);

}  // namespace fermata::runtime
