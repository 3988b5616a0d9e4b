// The parts of a plan that say how a process runs: scheduling, memory, labels, execution domain. Pure; all of
// them are performed while the host's /proc is in sight and its privileges are there.
#pragma once

#include "base/error.h"
#include "oci/runtime_spec.h"
#include "runtime/plan_builder.h"

namespace fermata::runtime {

// The labels of security modules, taken on at execve. Whether the host has the module is the caller's to know
// (kernel/security_modules.h).
void plan_labels(const oci::Process& process, PlanBuilder* plan);
// Scheduler and I/O priority.
Result<void> plan_scheduling(const oci::Process& process, PlanBuilder* plan);
// Processes that join a container only; runtime-spec, "execCPUAffinity".
Result<void> plan_exec_affinity(const oci::Process& process, PlanBuilder* plan);
// Memory policy and personality.
Result<void> plan_execution_domain(const oci::RuntimeSpec& spec, PlanBuilder* plan);

// "0-3,7" as a bit mask of the kernel's words; cpuset(7), "List format".
Result<std::string> parse_bit_list(const std::string& list);

}  // namespace fermata::runtime
