// A container's volumes as descriptors: bind mounts, named and anonymous volumes, opened in the host's mount
// namespace and attached in the container's by init, so the host's mount table never shows them.
//
// On disk: <root>/volumes/<name>/_data, and `copying` beside it while it is filled from the image.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "oci/runtime_spec.h"
#include "pod/rows.h"
#include "pod/selinux.h"

namespace fermata::pod {

struct PreparedMounts {
  std::vector<UniqueFd> trees;  // owned; the mounts borrow them
  std::vector<oci::Mount> mounts;
  std::vector<std::pair<std::string, VolumeMount>> applied;  // host path -> mount, for inspect
};

std::string volume_directory(const std::string& root, const std::string& name);

// For creation: `bind source path does not exist: /x` unless it is to be made.
Result<void> check_bind_sources(const std::vector<VolumeMount>& mounts);

// What the mounts of a container are made from.
struct MountSources {
  std::string root;  // of the engine
  // The root file system of the container's image as a directory; called when a volume has to be filled.
  std::function<Result<UniqueFd>()> open_image;
  // What a mount of an image shows, as a detached mount.
  std::function<Result<UniqueFd>(const VolumeMount&)> clone_image;
  // Borrowed: volumes show its owners, and keep on disk those of the inside. -1: they are as on disk.
  int user_namespace = -1;
  SelinuxLabels labels = {};
  bool again = false;  // the container has run before
};
Result<PreparedMounts> prepare_mounts(const MountSources& sources, const std::vector<VolumeMount>& mounts);

}  // namespace fermata::pod
