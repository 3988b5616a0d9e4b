// What a plan cannot compute: opens what a specification names by a path of the host's, in the namespaces of
// the caller, as detached mounts that init only has to attach. For whoever starts from a config.json.
//
// Why here and not in init: a container's user namespace may neither walk to these paths nor change the
// owners that a mount shows (idmap), and a detached mount is already what it shall be when the container
// first sees it.
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

// Owns what the specification borrows: to be kept until init was started. For one start: a mount that has
// been attached is not detached any more.
struct PreparedMounts {
  std::vector<UniqueFd> descriptors;
  std::vector<std::string> skipped;  // what was asked and left out, with the reason (a warning each)
};

// Fills `root_tree` from `root_path`, and `tree` and `file_target` of the mounts that bind (with their
// attributes, propagation and idmap) or copy up. A relative source is below `bundle`, a relative destination
// below the root. A mount of type cgroup becomes what the host has (runtime/cgroup_mounts.h; `cgroup`: the
// group of the container, which must exist; "": the mounts are left to init). An error names the mount.
//
// The descriptor of a user namespace in spec->namespaces must be there already: mounts with "idmap" and no
// mappings of their own use it, and its mappings are filled in where the document has none (a namespace that
// is joined).
Result<PreparedMounts> open_mounts(oci::RuntimeSpec* spec, const std::string& bundle,
                                   const std::string& cgroup = "");

// The namespace of spec->uid_mappings and gid_mappings, for a new user namespace in spec->namespaces.
Result<UniqueFd> make_user_namespace(const oci::RuntimeSpec& spec);

}  // namespace fermata::runtime
