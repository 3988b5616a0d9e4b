// Mounts. A target inside the root is resolved to a descriptor first and used through it alone: a directory
// becomes the working directory and the mount goes onto ".", a detached mount is moved onto the descriptor
// itself. So no path of an image is looked up twice, and no /proc is needed.
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include <cerrno>

#include "init/perform.h"
#include "kernel/core/mount_attributes.h"
#include "kernel/core/raw.h"
#include "kernel/core/rooted.h"

// The flags of mount(2) are MS_*; linux/mount.h has them, sys/mount.h clashes with it.
namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr int kAtRecursive = 0x8000;  // AT_RECURSIVE
constexpr int kUmountDetach = 2;      // MNT_DETACH

int outcome(long result) { return result < 0 ? static_cast<int>(-result) : 0; }

void forget_parent(Stage& stage) { stage.parent_path = nullptr; }

bool same(const char* left, const char* right) {
  while (*left != 0 && *left == *right) ++left, ++right;
  return *left == *right;
}

int change_mount(int mount, const OpView& op) {
  kernel::MountAttributes change = {};
  if (op.data_size() == 0) return 0;
  if (op.data_size() != sizeof change) return EINVAL;
  __builtin_memcpy(&change, op.data(), sizeof change);
  return outcome(kernel::change_mount_raw(mount, change));
}

// What is there now: a descriptor from before a mount is below of it.
int change_target(const Stage& stage, const char* path, const OpView& op) {
  const int opened = kernel::rooted_open(stage.root.get(), path, O_PATH);
  if (opened < 0) return -opened;
  const UniqueFd target(opened);
  return change_mount(target.get(), op);
}

int attach(int tree, int target) {
  return outcome(
      call(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

// A directory on which a kernel file system is mounted must not be reached by a symlink: an image that links
// /proc elsewhere would get its masks in the wrong place.
bool is_kernel_filesystem(const char* fstype) { return same(fstype, "proc") || same(fstype, "sysfs"); }

// What is planned for /proc says so; nothing else may end up there by a symlink of the image, or it would
// hide what is masked and make writes to the kernel's files go astray (CVE-2019-16884, CVE-2025-52881).
int check_target(int target, const char* path) {
  constexpr char kProc[] = "/proc";
  constexpr std::size_t kSize = sizeof kProc - 1;
  std::size_t same = 0;
  while (same < kSize && path[same] == kProc[same]) ++same;
  const bool planned = same == kSize && (path[kSize] == 0 || path[kSize] == '/');
  return !planned && is_procfs(target) ? ELOOP : 0;
}

int open_target(const Stage& stage, const char* path, Target kind, bool no_symlinks) {
  const int root = stage.root.get();
  int fd = kernel::rooted_open(root, path, O_PATH, 0, no_symlinks ? RESOLVE_NO_SYMLINKS : 0);
  if (fd == -ENOENT && kind == Target::directory) fd = kernel::rooted_make_directory(root, path, 0755);
  if (fd == -ENOENT && kind == Target::file) fd = kernel::rooted_make_file(root, path, 0644);
  if (fd < 0) return fd;
  const int error = check_target(fd, path);
  if (error != 0) call(SYS_close, fd);
  return error != 0 ? -error : fd;
}

int bind(const OpView& op, int target) {
  const bool recursive = (op.flags() & MS_REC) != 0;
  const long opened = call(SYS_open_tree, AT_FDCWD, op.string(0),
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? kAtRecursive : 0));
  if (opened < 0) return static_cast<int>(-opened);
  const UniqueFd tree(static_cast<int>(opened));
  if (const int error = change_mount(tree.get(), op); error != 0) return error;
  return attach(tree.get(), target);
}

// pivot_root(2), "pivot_root(\".\", \".\")": the old root ends up on top of the new one, from where it is
// detached; no directory for it is needed, so a read-only root will do.
int pivot() {
  if (const long error = call(SYS_pivot_root, ".", "."); error < 0) return static_cast<int>(-error);
  return outcome(call(SYS_umount2, ".", kUmountDetach));
}

// The kernel lets a user namespace mount procfs and sysfs if it sees one without masks. The host's would be
// such.
int hide(const char* path) {
  long error = call(SYS_umount2, path, kUmountDetach);
  // No mount point, or locked in our user namespace.
  if (error == -EINVAL) error = call(SYS_mount, "tmpfs", path, "tmpfs", MS_RDONLY, nullptr);
  return error == -ENOENT ? 0 : outcome(error);
}

// The old root stays below the new one: who may unmount (CAP_SYS_ADMIN) can bring it to light. Whoever asks
// for this has no choice.
int move_root() {
  for (const char* path : {"/proc", "/sys"})
    if (const int error = hide(path); error != 0) return error;
  // ELOOP: it stands over "/" already; perform_attach_root.
  const long moved = call(SYS_mount, ".", "/", nullptr, MS_MOVE, nullptr);
  if (moved < 0 && moved != -ELOOP) return static_cast<int>(-moved);
  return outcome(call(SYS_chroot, "."));
}

}  // namespace

int perform_set_propagation(const OpView& op) {
  return outcome(call(SYS_mount, nullptr, "/", nullptr, op.flags(), nullptr));
}

int perform_change_directory(const OpView& op) { return outcome(call(SYS_chdir, op.string(0))); }

int perform_mount_root(const OpView& op) {
  return outcome(call(SYS_mount, op.string(1), op.string(2), op.string(0), op.flags(), op.string(3)));
}

// The descriptor is the way to the root, not the path: over "/" no path leads there, for the root of a
// process is looked up without what is mounted over it, and the host's files stay in sight until the root is
// entered.
int perform_attach_root(Stage& stage, const OpView& op) {
  const int tree = slot_fd(op);
  // A copy of a mount that is shared, as systemd makes "/", is its peer: pivot_root(2) refuses it, and what
  // is mounted in it would show on the host. Others stay as they are.
  const kernel::MountAttributes alone = {.propagation = MS_SLAVE | MS_REC};
  if (const long error = kernel::change_mount_raw(tree, alone); error < 0) return static_cast<int>(-error);
  if (const long error = call(SYS_move_mount, tree, "", AT_FDCWD, op.string(0), MOVE_MOUNT_F_EMPTY_PATH);
      error < 0)
    return static_cast<int>(-error);
  stage.root.reset(tree);
  return 0;
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
  if ((op.flags() & (MS_BIND | MS_REMOUNT)) == MS_BIND) return bind(op, target.get());
  if (const long error = call(SYS_fchdir, target.get()); error < 0) return static_cast<int>(-error);
  if (const long error = call(SYS_mount, op.string(0), ".", fstype, op.flags(), op.string(3)); error < 0)
    return static_cast<int>(-error);
  return op.data_size() == 0 ? 0 : change_target(stage, op.string(1), op);
}

int perform_attach_mount(Stage& stage, const OpView& op) {
  forget_parent(stage);
  const int opened = open_target(stage, op.string(0), static_cast<Target>(op.a()), false);
  if (opened < 0) return -opened;
  const UniqueFd target(opened);
  return attach(slot_fd(op), target.get());
}

int perform_remount(Stage& stage, const OpView& op) { return change_target(stage, op.string(0), op); }

int perform_pivot_root(Stage& stage, const OpView& op) {
  if (const long error = call(SYS_fchdir, stage.root.get()); error < 0) return static_cast<int>(-error);
  const int error = (op.flags() & kMoveRoot) != 0 ? move_root() : pivot();
  return error != 0 ? error : outcome(call(SYS_chdir, "/"));
}

}  // namespace fermata::init
