// The limits of a container, from the CRI's form to the engine's and back. 0 and "" mean "not said" there.
#pragma once

#include <string>

#include "base/error.h"
#include "cri/protocol.h"
#include "pod/model.h"

namespace fermata::cri {

// What this machine can limit.
struct LimitSupport {
  bool swap = true;       // swap is accounted
  bool hugepages = true;  // the hugetlb controller is there
  std::string unified;    // the hierarchy of version 2, where there is no other
};
LimitSupport detect_limit_support();
// What of `host`'s a control group (a path below the hierarchies) can be given: systemd passes on the
// controllers that it knows, and hugetlb is not among them.
LimitSupport limit_support_of(const std::string& group, LimitSupport host);

// For a new container. A limit of memory alone leaves swap unlimited: the CRI says so, docker otherwise.
Result<pod::Resources> new_limits(const v1::LinuxContainerResources& asked, const LimitSupport& support);
// For one that exists: only what is said.
Result<pod::Resources> changed_limits(const v1::LinuxContainerResources& asked, const LimitSupport& support);

// As a status tells them.
v1::LinuxContainerResources told_limits(const pod::ContainerConfig& config);

}  // namespace fermata::cri
