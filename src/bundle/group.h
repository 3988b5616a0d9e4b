// A container's control group; config-linux.md, "Cgroups Path" and "Resources".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bundle/record.h"
#include "kernel/cgroup.h"
#include "oci/runtime_spec.h"
#include "scope/keeper.h"

namespace fermata::bundle {

using Warn = std::function<void(const std::string&)>;

// Where a container's group is to be.
struct GroupPlace {
  std::string path;  // below every hierarchy
  // With the systemd driver: the unit that has it, and the slice that has the unit.
  std::string slice, unit;
};

// linux.cgroupsPath: a path ("fermata-oci-<id>" without one), or "slice:prefix:name" for systemd.
Result<GroupPlace> group_place(const oci::RuntimeSpec& spec, const std::string& id, bool systemd);

// Makes room: an old group there is removed when nobody is in it, and is a conflict otherwise.
Result<void> vacate_group(const kernel::CgroupMounts& mounts, const std::string& path);

// A new group with its limits. As long as the object is there, systemd does not take its scope away.
struct NewGroup {
  kernel::Cgroup cgroup;
  std::optional<scope::Keeper> keeper;
};
Result<NewGroup> make_group(const kernel::CgroupMounts& mounts, const oci::RuntimeSpec& spec,
                            const std::string& id, const GroupPlace& place, const Warn& warn);

// Sets limits in a group that is there, and tells systemd of them.
Result<void> change_group(const Record& record, const oci::Resources& resources, const Warn& warn);
// Takes out of `limits` what version 2 of the memory controller has no file for, and other runtimes ignore
// there: engines hand it down from the times of version 1. What was taken, in words. Pure.
std::vector<std::string> drop_limits_of_v1(kernel::CgroupLimits* limits);
// Removes a group that nobody is in any more. Absent is success.
Result<void> remove_group(const kernel::Cgroup& group, const std::string& unit);

}  // namespace fermata::bundle
