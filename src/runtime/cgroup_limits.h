// From linux.resources of a runtime specification to the limits of a control group.
#pragma once

#include "base/error.h"
#include "kernel/cgroup_limits.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

// As the established runtimes read the document: zero leaves a value as it is, -1 takes a limit away, and
// memory without limit takes that of swap along. Refuses what no kernel could mean, with the field's name.
// use_hierarchy is dropped: Linux 5.11 and later count no other way. Pure.
Result<kernel::CgroupLimits> limits_of(const oci::Resources& resources);

}  // namespace fermata::runtime
