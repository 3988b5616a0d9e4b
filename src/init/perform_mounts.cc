// Mounts. A target inside the root is resolved to a descriptor first and used through it alone: a directory
// becomes the working directory and the mount goes onto ".", a detached mount is moved onto the descriptor
// itself. So no path of an image is looked up twice, and no /proc is needed.
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include <cerrno>

#include "init/perform.h"
#include "kernel/core/raw.h"
#include "kernel/core/rooted.h"

// The flags of mount(2) are MS_*; linux/mount.h has them, sys/mount.h clashes with it.
namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr int kAtEmptyPath = 0x1000;  // AT_EMPTY_PATH
constexpr int kAtRecursive = 0x8000;  // AT_RECURSIVE
constexpr unsigned long kPropagation = MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE;
constexpr int kUmountDetach = 2;  // MNT_DETACH

int outcome(long result) { return result < 0 ? static_cast<int>(-result) : 0; }

void forget_parent(Stage& stage) { stage.parent_path = nullptr; }

bool same(const char* left, const char* right) {
  while (*left != 0 && *left == *right) ++left, ++right;
  return *left == *right;
}

std::uint64_t attributes_of(std::uint32_t flags) {
  std::uint64_t attributes = 0;
  if (flags & MS_RDONLY) attributes |= MOUNT_ATTR_RDONLY;
  if (flags & MS_NOSUID) attributes |= MOUNT_ATTR_NOSUID;
  if (flags & MS_NODEV) attributes |= MOUNT_ATTR_NODEV;
  if (flags & MS_NOEXEC) attributes |= MOUNT_ATTR_NOEXEC;
  if (flags & MS_NODIRATIME) attributes |= MOUNT_ATTR_NODIRATIME;
  if (flags & MS_NOATIME) attributes |= MOUNT_ATTR_NOATIME;
  if (flags & MS_STRICTATIME) attributes |= MOUNT_ATTR_STRICTATIME;
  return attributes;
}

// mount_setattr(2), Linux 5.12.
int set_attributes(int mount, std::uint32_t flags, bool recursive) {
  mount_attr attributes = {};
  attributes.attr_set = attributes_of(flags);
  // The kernel takes a change of the access times only with all their bits cleared.
  if (flags & (MS_NOATIME | MS_STRICTATIME)) attributes.attr_clr = MOUNT_ATTR__ATIME;
  attributes.propagation = flags & kPropagation;
  if (attributes.attr_set == 0 && attributes.propagation == 0) return 0;
  const int where = kAtEmptyPath | (recursive ? kAtRecursive : 0);
  return outcome(call(SYS_mount_setattr, mount, "", where, &attributes, sizeof attributes));
}

int attach(int tree, int target) {
  return outcome(
      call(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

// A directory on which a kernel file system is mounted must not be reached by a symlink: an image that links
// /proc elsewhere would get its masks in the wrong place.
bool is_kernel_filesystem(const char* fstype) { return same(fstype, "proc") || same(fstype, "sysfs"); }

int open_target(const Stage& stage, const char* path, Target kind, bool no_symlinks) {
  const int root = stage.root.get();
  const int fd = kernel::rooted_open(root, path, O_PATH, 0, no_symlinks ? RESOLVE_NO_SYMLINKS : 0);
  if (fd != -ENOENT) return fd;
  if (kind == Target::directory) return kernel::rooted_make_directory(root, path, 0755);
  if (kind == Target::file) return kernel::rooted_make_file(root, path, 0644);
  return fd;
}

int bind(const OpView& op, int target) {
  const bool recursive = (op.flags() & MS_REC) != 0;
  const long opened = call(SYS_open_tree, AT_FDCWD, op.string(0),
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? kAtRecursive : 0));
  if (opened < 0) return static_cast<int>(-opened);
  const UniqueFd tree(static_cast<int>(opened));
  if (const int error = set_attributes(tree.get(), op.flags(), recursive); error != 0) return error;
  return attach(tree.get(), target);
}

}  // namespace

int perform_set_propagation(const OpView& op) {
  return outcome(call(SYS_mount, nullptr, "/", nullptr, op.flags(), nullptr));
}

int perform_change_directory(const OpView& op) { return outcome(call(SYS_chdir, op.string(0))); }

int perform_mount_root(const OpView& op) {
  return outcome(call(SYS_mount, op.string(1), op.string(2), op.string(0), op.flags(), op.string(3)));
}

int perform_attach_root(const OpView& op) {
  return outcome(call(SYS_move_mount, slot_fd(op), "", AT_FDCWD, op.string(0), MOVE_MOUNT_F_EMPTY_PATH));
}

int perform_open_root(Stage& stage, const OpView& op) {
  const long fd = call(SYS_openat, AT_FDCWD, op.string(0), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return static_cast<int>(-fd);
  stage.root.reset(static_cast<int>(fd));
  return 0;
}

int perform_mount(Stage& stage, const OpView& op) {
  forget_parent(stage);
  const char* fstype = op.string(2);
  const int opened =
      open_target(stage, op.string(1), static_cast<Target>(op.a()), is_kernel_filesystem(fstype));
  if (opened < 0) return -opened;
  const UniqueFd target(opened);
  if (op.flags() & MS_BIND) return bind(op, target.get());
  if (const long error = call(SYS_fchdir, target.get()); error < 0) return static_cast<int>(-error);
  return outcome(call(SYS_mount, op.string(0), ".", fstype, op.flags(), op.string(3)));
}

int perform_attach_mount(Stage& stage, const OpView& op) {
  forget_parent(stage);
  const int opened = open_target(stage, op.string(0), static_cast<Target>(op.a()), false);
  if (opened < 0) return -opened;
  const UniqueFd target(opened);
  return attach(slot_fd(op), target.get());
}

int perform_remount(Stage& stage, const OpView& op) {
  const int opened = kernel::rooted_open(stage.root.get(), op.string(0), O_PATH);
  if (opened < 0) return -opened;
  const UniqueFd target(opened);
  return set_attributes(target.get(), op.flags(), false);
}

// pivot_root(2), "pivot_root(\".\", \".\")": the old root ends up on top of the new one, from where it is
// detached; no directory for it is needed, so a read-only root will do.
int perform_pivot_root(Stage& stage) {
  if (const long error = call(SYS_fchdir, stage.root.get()); error < 0) return static_cast<int>(-error);
  if (const long error = call(SYS_pivot_root, ".", "."); error < 0) return static_cast<int>(-error);
  if (const long error = call(SYS_umount2, ".", kUmountDetach); error < 0) return static_cast<int>(-error);
  return outcome(call(SYS_chdir, "/"));
}

}  // namespace fermata::init
