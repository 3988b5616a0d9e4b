// The records in a checkpoint's archive, by the names and keys that the tools of its field know: podman,
// CRI-O, containerd and checkpointctl (KEP-2008). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fermata::pod {

inline constexpr char kConfigDump[] = "config.dump";
inline constexpr char kSpecDump[] = "spec.dump";
inline constexpr char kBindMounts[] = "bind.mounts";
inline constexpr char kRootDiff[] = "rootfs-diff.tar";
inline constexpr char kDeletedFiles[] = "deleted.files";
inline constexpr char kImagesDirectory[] = "checkpoint";
inline constexpr char kContainerLog[] = "container.log";

struct CheckpointedContainer {
  std::string id, name;
  std::string image;                           // as its user called it
  std::string image_id;                        // "sha256:..."
  std::string runtime;                         // what made its process
  std::int64_t created = 0, checkpointed = 0;  // ns since 1970
};
std::string config_dump(const CheckpointedContainer& container);

// A restore needs them to be of the same kind.
struct CheckpointedBind {
  std::string source, destination;
  bool directory = false;
  std::uint32_t permissions = 0;
};
std::string bind_mounts(const std::vector<CheckpointedBind>& binds);

std::string deleted_files(const std::vector<std::string>& paths);

}  // namespace fermata::pod
