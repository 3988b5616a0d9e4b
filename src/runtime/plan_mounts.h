// The parts of a container's plan that make its file system. Pure.
#pragma once

#include "base/error.h"
#include "oci/runtime_spec.h"
#include "runtime/launch_plan.h"
#include "runtime/plan_builder.h"

namespace fermata::runtime {

bool has_user_namespace(const oci::RuntimeSpec& spec);
// The root, from set_propagation to where "in the root" has a meaning.
Result<void> plan_root(const oci::RuntimeSpec& spec, const StartOptions& options, PlanBuilder* plan);
// Everything in it, to pivot_root and the read-only remount.
Result<void> plan_file_system(const oci::RuntimeSpec& spec, const StartOptions& options, PlanBuilder* plan);

}  // namespace fermata::runtime
