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

// Makes room for a new group: an old one is removed when nobody is in it, and is a conflict otherwise.
Result<void> vacate_group(const kernel::CgroupMounts& mounts, const std::string& path);
// Makes the group with its limits.
Result<kernel::Cgroup> make_group(const kernel::CgroupMounts& mounts, const oci::RuntimeSpec& spec,
                                  const std::string& path);

}  // namespace fermata::bundle
