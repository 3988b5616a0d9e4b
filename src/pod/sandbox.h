// The descriptors that a pod's sandbox is made of, and the mounts that only its mount namespace can give.
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::pod {

// A detached clone of what is mounted at `path` in another mount namespace. open_tree(2) clones only from the
// caller's own namespace, so a thread of our own visits that one.
Result<UniqueFd> clone_tree_in(int mount_namespace, const std::string& path);

// fermata-init, to be executed through a read-only detached mount: a container that reaches it as
// /proc/<pid>/exe cannot open it for writing (CVE-2019-5736).
Result<UniqueFd> open_program(const std::string& path);

// A detached read-only tmpfs that holds /pause alone, and empty directories at `mount_points`.
Result<UniqueFd> make_pause_root(const std::string& program, const std::vector<std::string>& mount_points);

// The merged, read-only view of an image's layers (names below `layers_directory`, top first) as a directory.
// Its mount was made in a namespace that has ended: it lives as long as the descriptor and was never seen in
// the host's table. `mount_point`: an empty directory.
Result<UniqueFd> open_merged_layers(const std::string& layers_directory,
                                    const std::vector<std::string>& names, const std::string& mount_point);

}  // namespace fermata::pod
