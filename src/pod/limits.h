// What a container may use: `run` and `update` give it, its control group holds it. Docker's words and rules.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "kernel/cgroup.h"
#include "pod/model.h"

namespace fermata::pod {

// What no machine could hold.
Result<void> check_resources(const Resources& resources);
// Docker's floor, which its users expect to be told of; Kubernetes has none.
Result<void> check_least_memory(const Resources& resources);
// What this machine cannot.
Result<void> check_machine_resources(const Resources& resources);
kernel::CgroupLimits limits_of(const Resources& resources);

// `old` with what is given in `changes`. Fails where one would contradict the other.
Result<Resources> change_resources(const Resources& old, const Resources& changes);
// For a group that has had others: a limit that was taken away is one as well.
kernel::CgroupLimits limits_after_update(const Resources& resources);
// Brings a group back to `old` after `changes` could not all be set.
kernel::CgroupLimits limits_before_update(const Resources& old, const Resources& changes);

// Sets `limits`, which were made from `resources`. The limit of swap that docker's rules add is left out
// where the kernel does not account for swap: that is the warning, else "".
Result<std::string> apply_limits(kernel::Cgroup& group, const Resources& resources,
                                 kernel::CgroupLimits& limits);

}  // namespace fermata::pod
