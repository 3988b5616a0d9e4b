// What an OCI runtime of others' is told in place of what fermata-init gets from the engine. Pure, but for
// what it asks about this process.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernel/cgroup_limits.h"
#include "oci/runtime_spec.h"
#include "pod/engine_impl.h"

namespace fermata::pod {

// linux.resources of a group's limits. No rules for devices: all are allowed.
oci::Resources foreign_resources(const kernel::CgroupLimits& limits);

// Mounts that are descriptors become binds of where they are attached in the bundle, with the propagation
// that was asked for; the many mounts of the control groups become the one that the specification knows.
void place_foreign_mounts(const std::string& bundle,
                          const std::vector<std::pair<std::string, VolumeMount>>& applied,
                          oci::RuntimeSpec* spec);

// What we may give a process. Other runtimes fail where we leave a thing as it is.
struct Rights {
  bool raise_limits = true;  // CAP_SYS_RESOURCE: to raise hard limits, and to lower oom_score_adj
  int oom_score_adj = 0;     // our own
};
Rights own_rights();
// Leaves out what is beyond them; the engine's warnings say so.
void keep_to_rights(const Rights& rights, oci::Process* process);

// The control group that a monitor kills a container in: of the v2 tree, else of v1's freezer.
struct ForeignGroup {
  UniqueFd directory;
  std::string path;  // of the v2 tree's; "": of v1
};
Result<ForeignGroup> open_foreign_group(Engine::Impl& engine, const PodRow& pod,
                                        const std::string& container);

// `complaint`: the runtime's own words, "": it has said nothing.
StartFailure foreign_failure(const std::string& complaint, StartFailure failure);

}  // namespace fermata::pod
