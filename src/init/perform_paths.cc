// Things made or covered in the root: nodes, links, directories, masked and read-only paths.
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <linux/stat.h>

#include <cerrno>

#include "init/perform.h"
#include "kernel/core/mount_attributes.h"
#include "kernel/core/raw.h"
#include "kernel/core/rooted.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr int kAtRecursive = 0x8000;  // AT_RECURSIVE
constexpr std::uint32_t kTypeMask = 0170000;
constexpr std::uint32_t kDirectoryType = 0040000;
constexpr std::uint32_t kCharacterType = 0020000;
constexpr std::uint32_t kNullMajor = 1, kNullMinor = 3;

int outcome(long result) { return result < 0 ? static_cast<int>(-result) : 0; }

// Not there, or a part of its path is a file: nothing to cover.
bool absent(int error) { return error == -ENOENT || error == -ENOTDIR; }

int stat_fd(int fd, struct statx* info) {
  return outcome(call(SYS_statx, fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_MODE, info));
}

int attach(int tree, int target) {
  return outcome(
      call(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int clone_tree(int fd, const char* path, int flags) {
  return static_cast<int>(call(SYS_open_tree, fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags));
}

// A detached tmpfs with room for nothing.
int make_empty_directory() {
  const long opened = call(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (opened < 0) return static_cast<int>(opened);
  const UniqueFd context(static_cast<int>(opened));
  if (const long error = call(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "nr_inodes", "1", 0);
      error < 0)
    return static_cast<int>(error);
  if (const long error = call(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "mode", "755", 0); error < 0)
    return static_cast<int>(error);
  if (const long error = call(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
      error < 0)
    return static_cast<int>(error);
  return static_cast<int>(call(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC,
                               MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

// The first is mounted, the others are clones of it: a clone costs less than a file system. Only an attached
// mount can be cloned (before 6.15), and after its own mask this one is.
int mask_directory(Stage& stage, int target) {
  if (!stage.empty_directory) {
    const int made = make_empty_directory();
    if (made < 0) return -made;
    stage.empty_directory.reset(made);
    return attach(made, target);
  }
  const int cloned = clone_tree(stage.empty_directory.get(), "", AT_EMPTY_PATH);
  if (cloned < 0) return -cloned;
  const UniqueFd tree(cloned);
  return attach(tree.get(), target);
}

bool is_device(const struct statx& info, std::uint32_t type, std::uint64_t major, std::uint64_t minor) {
  return (info.stx_mode & kTypeMask) == type && info.stx_rdev_major == major && info.stx_rdev_minor == minor;
}

// With the host's /dev/null: the container's could have been replaced (CVE-2025-31133), and so is not used.
int mask_file(int target) {
  const int cloned = clone_tree(AT_FDCWD, "/dev/null", 0);
  if (cloned < 0) return -cloned;
  const UniqueFd tree(cloned);
  struct statx info = {};
  if (const int error = stat_fd(tree.get(), &info); error != 0) return error;
  if (!is_device(info, kCharacterType, kNullMajor, kNullMinor)) return ENODEV;
  return attach(tree.get(), target);
}

// The directory of `path`, kept open for the next one in it: /dev gets a dozen entries.
int enter_parent(Stage& stage, const char* path, const char** name) {
  std::uint32_t size = 0;
  for (std::uint32_t i = 0; path[i] != 0; ++i)
    if (path[i] == '/') size = i + 1;
  if (stage.parent_path != nullptr && stage.parent_size == size &&
      __builtin_memcmp(stage.parent_path, path, size) == 0) {
    *name = path + size;
    return stage.parent.get();
  }
  const int fd = kernel::rooted_parent(stage.root.get(), path, name);
  if (fd < 0) return fd;
  stage.parent.reset(fd);
  stage.parent_path = path;
  stage.parent_size = size;
  return fd;
}

// makedev's layout, which mknod(2) takes.
std::uint64_t major_of(std::uint64_t device) {
  return ((device >> 8) & 0xfff) | ((device >> 32) & ~std::uint64_t{0xfff});
}
std::uint64_t minor_of(std::uint64_t device) { return (device & 0xff) | ((device >> 12) & 0xffffff00); }

// Whether `name` already is the device that was to be made.
bool is_same_node(int parent, const char* name, std::uint64_t mode, std::uint64_t device) {
  struct statx info = {};
  if (call(SYS_statx, parent, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) < 0) return false;
  return is_device(info, static_cast<std::uint32_t>(mode) & kTypeMask, major_of(device), minor_of(device));
}

// The host's file system is still in sight at "/".
int bind_host_node(Stage& stage, const OpView& op) {
  const int cloned = clone_tree(AT_FDCWD, op.string(0), AT_SYMLINK_NOFOLLOW);
  if (cloned < 0) return -cloned;
  const UniqueFd tree(cloned);
  struct statx info = {};
  if (const int error = stat_fd(tree.get(), &info); error != 0) return error;
  const auto type = static_cast<std::uint32_t>(op.a()) & kTypeMask;
  if (!is_device(info, type, major_of(op.b()), minor_of(op.b()))) return ENODEV;
  const int target = kernel::rooted_make_file(stage.root.get(), op.string(0), 0644);
  if (target < 0) return -target;
  const UniqueFd close_it(target);
  // As with mounts: perform_mounts.cc.
  return is_procfs(target) ? ELOOP : attach(tree.get(), target);
}

// A directory outside of the root shows as "(unreachable)/..." in getcwd(2): a descriptor of the host's that
// was left open would let the container out (CVE-2024-21626).
int check_inside() {
  char path[PATH_MAX];
  const long size = call(SYS_getcwd, path, sizeof path);
  if (size < 0) return static_cast<int>(-size);
  return path[0] == '/' ? 0 : EXDEV;
}

}  // namespace

int perform_mask_path(Stage& stage, const OpView& op) {
  const int opened = kernel::rooted_open(stage.root.get(), op.string(0), O_PATH);
  if (opened < 0) return absent(opened) ? 0 : -opened;
  const UniqueFd target(opened);
  struct statx info = {};
  if (const int error = stat_fd(target.get(), &info); error != 0) return error;
  if ((info.stx_mode & kTypeMask) == kDirectoryType) return mask_directory(stage, target.get());
  return mask_file(target.get());
}

int perform_readonly_path(Stage& stage, const OpView& op) {
  const int opened = kernel::rooted_open(stage.root.get(), op.string(0), O_PATH);
  if (opened < 0) return absent(opened) ? 0 : -opened;
  const UniqueFd target(opened);
  const int cloned = clone_tree(target.get(), "", AT_EMPTY_PATH | kAtRecursive);
  if (cloned < 0) return -cloned;
  const UniqueFd tree(cloned);
  const kernel::MountAttr read_only = {
      .attr_set = MOUNT_ATTR_RDONLY, .attr_clr = 0, .propagation = 0, .userns_fd = 0};
  if (const long error = kernel::set_attributes(tree.get(), read_only, true); error < 0)
    return static_cast<int>(-error);
  return attach(tree.get(), target.get());
}

int perform_make_directory(Stage& stage, const OpView& op) {
  const int fd =
      kernel::rooted_make_directory(stage.root.get(), op.string(0), static_cast<std::uint32_t>(op.a()));
  if (fd < 0) return -fd;
  const UniqueFd close_it(fd);
  return 0;
}

int perform_make_symlink(Stage& stage, const OpView& op) {
  const char* name = nullptr;
  const int parent = enter_parent(stage, op.string(1), &name);
  if (parent < 0) return -parent;
  const long error = call(SYS_symlinkat, op.string(0), parent, name);
  return error == -EEXIST ? 0 : outcome(error);  // the image has one of its own
}

int perform_make_node(Stage& stage, const OpView& op) {
  if (op.flags() & kHostNode) return bind_host_node(stage, op);
  const char* name = nullptr;
  const int parent = enter_parent(stage, op.string(0), &name);
  if (parent < 0) return -parent;
  const long error = call(SYS_mknodat, parent, name, op.a(), op.b());
  if (error == -EEXIST && is_same_node(parent, name, op.a(), op.b())) return 0;
  if (error < 0) return static_cast<int>(-error);
  std::uint32_t owner[2] = {0, 0};
  if (op.data_size() != sizeof owner) return op.data_size() == 0 ? 0 : EINVAL;
  __builtin_memcpy(owner, op.data(), sizeof owner);
  return outcome(call(SYS_fchownat, parent, name, owner[0], owner[1], AT_SYMLINK_NOFOLLOW));
}

int perform_set_current_directory(Stage& stage, const OpView& op) {
  const char* path = op.string(0);
  long error = call(SYS_chdir, path);
  if (error == -ENOENT && op.a() == 1) {
    const UniqueFd made(kernel::rooted_make_directory(stage.root.get(), path, 0755));
    if (!made) return -made.get();
    error = call(SYS_chdir, path);
  }
  if (error < 0) return static_cast<int>(-error);
  return check_inside();
}

}  // namespace fermata::init
