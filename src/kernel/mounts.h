// Mounts as descriptors, and paths that stay inside a root. mount_setattr(2), open_tree(2), openat2(2).
// Nothing here changes the caller's own mount table, except where a function says so.
#pragma once

#include <cstdint>
#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "kernel/core/mount_attributes.h"

namespace fermata::kernel {

// Opens `path` as if `root` were "/"; symlinks cannot leave it. `flags` as openat2's (O_CLOEXEC is added).
Result<UniqueFd> open_in_root(int root, const std::string& path, std::uint64_t flags, std::uint32_t mode = 0);

// A detached copy of what is mounted at `path` (open_tree(OPEN_TREE_CLONE)); with everything below it if
// `recursive`.
Result<UniqueFd> clone_tree(const std::string& path, bool recursive);

// The same for `path` in another mount namespace: made there by a short-lived child, for setns(2) into a
// mount namespace wants a single thread, and the caller's own root must not change. A mount that is detached
// could not be cloned (EINVAL before 6.15), so what is to be cloned often is kept in a namespace.
Result<UniqueFd> clone_tree_in(int mount_namespace, const std::string& path);

// Attributes of a detached mount: MOUNT_ATTR_* bits to set and clear; `propagation` MS_PRIVATE, MS_SLAVE,
// MS_SHARED or 0.
Result<void> set_mount_attributes(int tree, std::uint64_t set, std::uint64_t clear, std::uint64_t propagation,
                                  bool recursive);

// All that a mount's options can ask for.
Result<void> change_mount(int tree, const MountAttributes& change);

// The owners that a detached mount shows are those of the user namespace. Not every file system can: that is
// ErrorKind::unsupported. MOUNT_ATTR_IDMAP, Linux 5.12.
Result<void> map_mount_ids(int tree, int user_namespace, bool recursive);

// A detached file system: fsopen(fstype), the options as "key=value,flag", fsmount with MOUNT_ATTR_* bits.
Result<UniqueFd> make_detached_mount(const std::string& fstype, const std::string& options,
                                     std::uint64_t attributes);

}  // namespace fermata::kernel
