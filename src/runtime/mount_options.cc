#include "runtime/mount_options.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace fermata::runtime {
namespace {

// linux/mount.h has it, which clashes with sys/mount.h of glibc 2.36. Linux 5.10.
constexpr std::uint32_t kNoSymfollow = 256;
constexpr std::uint64_t kAttrNoSymfollow = 0x00200000;  // MOUNT_ATTR_NOSYMFOLLOW, Linux 5.14

// One property of a mount: the words that set it and that clear it; with an 'r' before them they mean
// everything below too (runtime-spec, "Linux mount options").
struct Row {
  std::string_view set_word, clear_word;
  std::uint32_t flag;
  std::uint64_t attribute;
};
constexpr auto kProperties = std::to_array<Row>({
    {"ro", "rw", MS_RDONLY, MOUNT_ATTR_RDONLY},
    {"nosuid", "suid", MS_NOSUID, MOUNT_ATTR_NOSUID},
    {"nodev", "dev", MS_NODEV, MOUNT_ATTR_NODEV},
    {"noexec", "exec", MS_NOEXEC, MOUNT_ATTR_NOEXEC},
    {"nodiratime", "diratime", MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", "symfollow", kNoSymfollow, kAttrNoSymfollow},
});

// Access times are one field, not bits; a "no" before one means the kernel's default, which is relatime.
struct AccessTime {
  std::string_view word;
  std::uint32_t flag;
  std::uint64_t value;
};
constexpr std::uint32_t kAccessTimeFlags = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;
constexpr auto kAccessTimes = std::to_array<AccessTime>({
    {"noatime", MS_NOATIME, MOUNT_ATTR_NOATIME},
    {"atime", 0, MOUNT_ATTR_RELATIME},
    {"relatime", MS_RELATIME, MOUNT_ATTR_RELATIME},
    {"norelatime", 0, MOUNT_ATTR_RELATIME},
    {"strictatime", MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
    {"nostrictatime", 0, MOUNT_ATTR_RELATIME},
});

// What concerns mount(2) alone: of the file system, or how it is done.
struct Flag {
  std::string_view word;
  std::uint32_t set, clear;
};
constexpr auto kFlags = std::to_array<Flag>({
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
    {"mand", MS_MANDLOCK, 0},
    {"nomand", 0, MS_MANDLOCK},
    {"lazytime", MS_LAZYTIME, 0},
    {"nolazytime", 0, MS_LAZYTIME},
    {"iversion", MS_I_VERSION, 0},
    {"noiversion", 0, MS_I_VERSION},
    {"silent", MS_SILENT, 0},
    {"loud", 0, MS_SILENT},
    {"acl", MS_POSIXACL, 0},
    {"noacl", 0, MS_POSIXACL},
    {"remount", MS_REMOUNT, 0},
    {"bind", MS_BIND, 0},
    {"rbind", MS_BIND | MS_REC, 0},
    {"defaults", 0, 0},
});

// Other engines' words that ask nothing of the kernel: SELinux labels, copying into new volumes.
constexpr auto kForeign = std::to_array<std::string_view>({"z", "Z", "copy", "nocopy"});

struct Propagation {
  std::string_view word;
  std::uint32_t flag;
};
constexpr auto kPropagations = std::to_array<Propagation>({
    {"private", MS_PRIVATE},
    {"rprivate", MS_PRIVATE | MS_REC},
    {"slave", MS_SLAVE},
    {"rslave", MS_SLAVE | MS_REC},
    {"shared", MS_SHARED},
    {"rshared", MS_SHARED | MS_REC},
    {"unbindable", MS_UNBINDABLE},
    {"runbindable", MS_UNBINDABLE | MS_REC},
});

// Where a word's bits go: the mount alone, or all that lie below it too.
struct Scope {
  std::uint64_t* set;
  std::uint64_t* clear;
};

bool apply_property(std::string_view word, Scope scope, std::uint32_t* flags) {
  for (const Row& row : kProperties) {
    const bool sets = word == row.set_word;
    if (!sets && word != row.clear_word) continue;
    *flags = sets ? *flags | row.flag : *flags & ~row.flag;
    *scope.set = sets ? *scope.set | row.attribute : *scope.set & ~row.attribute;
    *scope.clear = sets ? *scope.clear & ~row.attribute : *scope.clear | row.attribute;
    return true;
  }
  for (const AccessTime& time : kAccessTimes) {
    if (word != time.word) continue;
    *flags = (*flags & ~kAccessTimeFlags) | time.flag;
    // The kernel takes a change of this field only with all its bits cleared. mount_setattr(2).
    *scope.set = (*scope.set & ~std::uint64_t{MOUNT_ATTR__ATIME}) | time.value;
    *scope.clear |= MOUNT_ATTR__ATIME;
    return true;
  }
  return false;
}

bool apply_flag(std::string_view word, std::uint32_t* flags) {
  for (const Flag& row : kFlags) {
    if (row.word != word) continue;
    *flags = (*flags & ~row.clear) | row.set;
    return true;
  }
  return false;
}

bool apply_special(std::string_view word, MountOptions* options) {
  if (std::find(kForeign.begin(), kForeign.end(), word) != kForeign.end()) return true;
  if (word == "tmpcopyup")
    options->copy_up = true;
  else if (word == "idmap")
    options->idmap = MountOptions::Idmap::top;
  else if (word == "ridmap")
    options->idmap = MountOptions::Idmap::recursive;
  else
    return false;
  return true;
}

bool apply(const std::string& option, MountOptions* options) {
  kernel::MountAttributes& attributes = options->attributes;
  const std::string_view word = option;
  if (const std::uint32_t propagation = parse_propagation(option); propagation != 0) {
    attributes.propagation = propagation;
    return true;
  }
  if (apply_flag(word, &options->flags) || apply_special(word, options)) return true;
  if (apply_property(word, {&attributes.set, &attributes.clear}, &options->flags)) return true;
  // Nothing lies below a new file system: there the two forms are the same.
  return word.starts_with('r') &&
         apply_property(word.substr(1), {&attributes.set_below, &attributes.clear_below}, &options->flags);
}

}  // namespace

bool MountOptions::binds() const { return (flags & MS_BIND) != 0; }
bool MountOptions::remounts() const { return (flags & MS_REMOUNT) != 0; }

std::uint32_t parse_propagation(const std::string& name) {
  for (const Propagation& row : kPropagations)
    if (row.word == name) return row.flag;
  return 0;
}

MountOptions parse_mount_options(const std::vector<std::string>& options) {
  MountOptions result;
  for (const std::string& option : options) {
    if (option.empty() || apply(option, &result)) continue;
    if (!result.data.empty()) result.data += ',';
    result.data += option;
  }
  return result;
}

std::vector<std::string> mount_option_names() {
  std::vector<std::string> names = {"tmpcopyup", "idmap", "ridmap"};
  const auto add = [&](std::string_view word, bool recursive) {
    names.emplace_back(word);
    if (recursive) names.push_back("r" + std::string(word));
  };
  for (const Row& row : kProperties) {
    add(row.set_word, true);
    add(row.clear_word, true);
  }
  for (const AccessTime& time : kAccessTimes) add(time.word, true);
  for (const Flag& row : kFlags) add(row.word, false);
  for (const Propagation& row : kPropagations) add(row.word, false);
  return names;
}

}  // namespace fermata::runtime
