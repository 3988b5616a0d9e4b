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
// With `group` (the container's, below every hierarchy) each is that group's part of the host's own, bound.
//
// For a container without a cgroup namespace, which would see the whole; and for one with a new namespace, of
// which that group is the root and which sees no difference, but the kernel does: a mount from a new
// namespace is a file system instance of its own, made under the lock of all control groups, and every group
// that is removed looks through all instances on the machine (mm/list_lru.c, memcg_reparent_list_lrus).
void expand_cgroup_mounts(std::vector<oci::Mount>* mounts, const kernel::CgroupMounts& host,
                          const std::string& group);

}  // namespace fermata::runtime
