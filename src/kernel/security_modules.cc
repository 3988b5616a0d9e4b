#include "kernel/security_modules.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/files.h"
#include "base/text.h"

namespace fermata::kernel {

bool apparmor_enabled() {
  const auto enabled = read_file("/sys/module/apparmor/parameters/enabled");
  return enabled && trim(*enabled) == "Y";
}

// Built into a kernel it may still be off: its file system is there only when it is on, and a policy is
// loaded through it.
bool selinux_enabled() {
  struct statfs info = {};
  return ::statfs("/sys/fs/selinux", &info) == 0 && static_cast<unsigned long>(info.f_type) == SELINUX_MAGIC;
}

}  // namespace fermata::kernel
