// The root file systems that a pod takes from the engine itself and from the layers of images.
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::pod {

// A detached read-only tmpfs that holds /pause alone, and empty directories at `mount_points`.
Result<UniqueFd> make_pause_root(const std::string& program, const std::vector<std::string>& mount_points);

// The layers of an image, and how they are to be seen.
struct LayerView {
  std::string directory;           // of the layers
  std::vector<std::string> names;  // below it, top first
  std::string mount_point;         // an empty directory
  int user_namespace = -1;         // borrowed: owners are those that it maps; -1: as they are
};

// The merged, read-only view as a directory. Its mount was made in a namespace that has ended: it lives as
// long as the descriptor and was never seen in the host's table.
Result<UniqueFd> open_merged_layers(const LayerView& view);

// The same as a detached mount that can be attached, or of what is at `sub_path` in it ("": all of it), which
// symlinks cannot lead out of.
Result<UniqueFd> clone_merged_layers(const LayerView& view, const std::string& sub_path);

// With a writable layer on top, of which the root of view.user_namespace must be the owner: what is written
// there belongs to the mapped users. Overlayfs on idmapped layers: Linux 5.19.
Result<UniqueFd> clone_writable_layers(const LayerView& view, const std::string& upper,
                                       const std::string& work);

// Tries that below `root`, where the layers are. An error says why pods can have no user namespaces.
Result<void> try_mapped_layers(const std::string& root, const std::string& mount_point);

}  // namespace fermata::pod
