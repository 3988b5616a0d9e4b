// A container's control group; config-linux.md, "Cgroups Path" and "Resources".
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "kernel/cgroup.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// Where it is below every hierarchy: linux.cgroupsPath, and "fermata-oci-<id>" without one.
std::string group_path(const oci::RuntimeSpec& spec, const std::string& id);

// Makes the group with its limits. One that exists is taken when nobody is in it.
Result<kernel::Cgroup> make_group(const oci::RuntimeSpec& spec, const std::string& path);

}  // namespace fermata::bundle
