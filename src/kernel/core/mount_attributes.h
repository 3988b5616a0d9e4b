// What becomes of a mount. mount_setattr(2), Linux 5.12. Free of libc: fermata-init's too.
#pragma once

#include <time.h>

#include <cerrno>
#include <cstdint>

#include "kernel/core/raw.h"

namespace fermata::kernel {

// MOUNT_ATTR_* bits to set and to clear, of the mount alone and of all that lies below it too, and
// MS_PRIVATE, ... with MS_REC for those below, or 0. Applied in this order, the wider ones first.
struct MountAttributes {
  std::uint64_t set_below = 0, clear_below = 0;
  std::uint64_t set = 0, clear = 0;
  std::uint64_t propagation = 0;
  bool operator==(const MountAttributes&) const = default;
};

// struct mount_attr, whose two headers (linux/mount.h, sys/mount.h) cannot both be included.
struct MountAttr {
  std::uint64_t attr_set, attr_clr, propagation, userns_fd;
};

// 0 or -errno. EBUSY is for a mount that is written through, and the kernel counts among the writers whoever
// updates a time of access at this moment: it is tried again, for 100 ms.
inline long set_attributes(int mount, const MountAttr& attributes, bool recursive) {
  constexpr int kEmptyPath = 0x1000, kRecursive = 0x8000;  // AT_EMPTY_PATH, AT_RECURSIVE
  if (attributes.attr_set == 0 && attributes.attr_clr == 0 && attributes.propagation == 0) return 0;
  constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 1'000'000};
  long error = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    error = raw::call(SYS_mount_setattr, mount, "", kEmptyPath | (recursive ? kRecursive : 0), &attributes,
                      sizeof attributes);
    if (error != -EBUSY) break;
    raw::call(SYS_nanosleep, &kPause, nullptr);
  }
  return error;
}

// 0 or -errno.
inline long change_mount_raw(int mount, const MountAttributes& change) {
  constexpr std::uint64_t kRecursive = 0x4000;  // MS_REC
  if (const long error = set_attributes(mount, {change.set_below, change.clear_below, 0, 0}, true); error < 0)
    return error;
  if (const long error = set_attributes(mount, {change.set, change.clear, 0, 0}, false); error < 0)
    return error;
  return set_attributes(mount, {0, 0, change.propagation & ~kRecursive, 0},
                        (change.propagation & kRecursive) != 0);
}

}  // namespace fermata::kernel
