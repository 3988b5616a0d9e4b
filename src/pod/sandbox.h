// The root file systems that a pod takes from the engine itself and from the layers of images.
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::pod {

// A detached read-only tmpfs that holds /pause alone, and empty directories at `mount_points`.
Result<UniqueFd> make_pause_root(const std::string& program, const std::vector<std::string>& mount_points);

// The merged, read-only view of an image's layers (names below `layers_directory`, top first) as a directory.
// Its mount was made in a namespace that has ended: it lives as long as the descriptor and was never seen in
// the host's table. `mount_point`: an empty directory.
Result<UniqueFd> open_merged_layers(const std::string& layers_directory,
                                    const std::vector<std::string>& names, const std::string& mount_point);

// The same as a detached mount that can be attached, or of what is at `sub_path` in it ("": all of it), which
// symlinks cannot lead out of.
Result<UniqueFd> clone_merged_layers(const std::string& layers_directory,
                                     const std::vector<std::string>& names, const std::string& mount_point,
                                     const std::string& sub_path);

}  // namespace fermata::pod
