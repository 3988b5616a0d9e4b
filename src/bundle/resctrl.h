// linux.intelRdt: the shares of caches and memory bandwidth of a container's processes, in the kernel's
// resource control file system; config-linux.md, "IntelRdt".
#pragma once

#include <string>

#include "base/error.h"
#include "kernel/resctrl.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// Puts process `pid` into the group that the specification asks for. `made` of the result: the group is to be
// removed with the container. A failure leaves nothing. No paths when nothing is asked.
Result<kernel::ResctrlGroup> enter_resctrl(const oci::RuntimeSpec& spec, const std::string& id, int pid);

}  // namespace fermata::bundle
