#include "runtime/mount_options.h"

#include <sys/mount.h>

#include <array>
#include <string_view>

namespace fermata::runtime {
namespace {

struct Row {
  std::string_view name;
  std::uint32_t set;
  std::uint32_t clear;
};

constexpr std::uint32_t kAccessTime = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;

constexpr auto kFlags = std::to_array<Row>({
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
    {"mand", MS_MANDLOCK, 0},
    {"nomand", 0, MS_MANDLOCK},
    {"noatime", MS_NOATIME, kAccessTime},
    {"atime", 0, MS_NOATIME},
    {"relatime", MS_RELATIME, kAccessTime},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, kAccessTime},
    {"nostrictatime", 0, MS_STRICTATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"diratime", 0, MS_NODIRATIME},
    {"bind", MS_BIND, 0},
    {"rbind", MS_BIND | MS_REC, 0},
    // Other engines' words that ask nothing of the kernel: SELinux labels, copying into new volumes.
    {"defaults", 0, 0},
    {"z", 0, 0},
    {"Z", 0, 0},
    {"copy", 0, 0},
    {"nocopy", 0, 0},
});

constexpr auto kPropagations = std::to_array<Row>({
    {"private", MS_PRIVATE, 0},
    {"rprivate", MS_PRIVATE | MS_REC, 0},
    {"slave", MS_SLAVE, 0},
    {"rslave", MS_SLAVE | MS_REC, 0},
    {"shared", MS_SHARED, 0},
    {"rshared", MS_SHARED | MS_REC, 0},
    {"unbindable", MS_UNBINDABLE, 0},
    {"runbindable", MS_UNBINDABLE | MS_REC, 0},
});

bool apply_flag(const std::string& option, std::uint32_t* flags) {
  for (const Row& row : kFlags) {
    if (row.name != option) continue;
    *flags = (*flags & ~row.clear) | row.set;
    return true;
  }
  return false;
}

}  // namespace

std::uint32_t parse_propagation(const std::string& name) {
  for (const Row& row : kPropagations)
    if (row.name == name) return row.set;
  return 0;
}

MountOptions parse_mount_options(const std::vector<std::string>& options) {
  MountOptions result;
  for (const std::string& option : options) {
    if (option.empty() || apply_flag(option, &result.flags)) continue;
    if (const std::uint32_t propagation = parse_propagation(option); propagation != 0) {
      result.propagation = propagation;
      continue;
    }
    if (!result.data.empty()) result.data += ',';
    result.data += option;
  }
  return result;
}

}  // namespace fermata::runtime
