#include "kernel/program.h"

#include <sys/mount.h>

#include "kernel/mounts.h"

namespace fermata::kernel {

Result<UniqueFd> open_program(const std::string& path) {
  TRY(UniqueFd tree, clone_tree(path, false));
  TRY(set_mount_attributes(tree.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0,
                           MS_PRIVATE, false));
  return tree;
}

}  // namespace fermata::kernel
