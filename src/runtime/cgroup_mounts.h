// What a container sees at /sys/fs/cgroup, by what the host has. Pure.
#pragma once

#include <string>
#include <vector>

#include "kernel/cgroup.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

// Whether there is one of type "cgroup" that names no hierarchy in its options: what every config.json has.
bool has_cgroup_mount(const std::vector<oci::Mount>& mounts);
// Such a mount becomes on a v2 host one of cgroup2, and otherwise a tmpfs with every hierarchy in its place.
// With `group` (the container's, below every hierarchy) the v1 hierarchies are that group's part of them,
// bound: for a container without a cgroup namespace, which would see the whole.
void expand_cgroup_mounts(std::vector<oci::Mount>* mounts, const kernel::CgroupMounts& host,
                          const std::string& group);

}  // namespace fermata::runtime
