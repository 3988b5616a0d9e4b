#include "runtime/defaults.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/nearest.h"
#include "base/text.h"
#include "kernel/capabilities.h"

namespace fermata::runtime {
namespace {

// "net_admin" -> "CAP_NET_ADMIN"
Result<std::string> capability_name(const std::string& given) {
  std::string name = given;
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (!name.starts_with("CAP_")) name = "CAP_" + name;
  if (kernel::capability_number(name)) return name;
  std::vector<std::string_view> known;
  for (const std::string_view capability : kernel::capability_names()) known.push_back(capability.substr(4));
  const std::string_view meant = nearest(std::string_view(name).substr(4), known);
  return fail(ErrorKind::invalid_argument, "unknown capability '{}'{}", given,
              meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant));
}

bool is_all(const std::string& name) { return to_lower(name) == "all"; }

bool any_is_all(const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), is_all);
}

}  // namespace

// Enough for servers that drop root themselves and bind port 80; nothing that reaches the host.
std::vector<std::string> default_capabilities() {
  return {"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
          "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
          "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
          "CAP_KILL",    "CAP_AUDIT_WRITE"};
}

Result<std::vector<std::string>> adjust_capabilities(std::vector<std::string> base,
                                                     const std::vector<std::string>& add,
                                                     const std::vector<std::string>& drop) {
  // "ALL" first, so that what is named beside it is an exception from it, whatever the order; docker's rule.
  if (any_is_all(drop)) base.clear();
  if (any_is_all(add)) base = all_capabilities();
  for (const std::string& given : add) {
    if (is_all(given)) continue;
    TRY(std::string name, capability_name(given));
    if (std::find(base.begin(), base.end(), name) == base.end()) base.push_back(std::move(name));
  }
  for (const std::string& given : drop) {
    if (is_all(given)) continue;
    TRY(const std::string name, capability_name(given));
    std::erase(base, name);
  }
  return base;
}

std::vector<std::string> all_capabilities() { return kernel::capability_list(kernel::own_bounding_set()); }

std::vector<oci::Mount> default_mounts(bool privileged) {
  const char* const access = privileged ? "rw" : "ro";
  return {
      {.destination = "/proc", .type = "proc", .source = "proc", .options = {"nosuid", "noexec", "nodev"}},
      // Devices live here, so no nodev; the size is that of some nodes.
      {.destination = "/dev",
       .type = "tmpfs",
       .source = "tmpfs",
       .options = {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      // An instance of its own (newinstance); gid 5 is tty in every distribution.
      {.destination = "/dev/pts",
       .type = "devpts",
       .source = "devpts",
       .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {.destination = "/dev/mqueue",
       .type = "mqueue",
       .source = "mqueue",
       .options = {"nosuid", "noexec", "nodev"}},
      // Of the network namespace that we are in; writing there would reach the host's devices.
      {.destination = "/sys",
       .type = "sysfs",
       .source = "sysfs",
       .options = {"nosuid", "noexec", "nodev", access}},
      {.destination = "/sys/fs/cgroup",
       .type = "cgroup",
       .source = "cgroup",
       .options = {"nosuid", "noexec", "nodev", access}},
  };
}

std::vector<oci::Device> default_devices() {
  return {{.path = "/dev/null", .major = 1, .minor = 3},    {.path = "/dev/zero", .major = 1, .minor = 5},
          {.path = "/dev/full", .major = 1, .minor = 7},    {.path = "/dev/random", .major = 1, .minor = 8},
          {.path = "/dev/urandom", .major = 1, .minor = 9}, {.path = "/dev/tty", .major = 5, .minor = 0}};
}

std::vector<kernel::DeviceRule> default_device_rules() {
  std::vector<kernel::DeviceRule> rules = {
      {.allow = false},  // everything, and then the exceptions
      // Making a node opens nothing.
      {.allow = true, .type = 'c', .access = "m"},
      {.allow = true, .type = 'b', .access = "m"},
      {.allow = true, .type = 'c', .major = 136},            // the slaves of devpts
      {.allow = true, .type = 'c', .major = 5, .minor = 1},  // /dev/console
      {.allow = true, .type = 'c', .major = 5, .minor = 2},  // /dev/ptmx
  };
  for (const oci::Device& device : default_devices())
    rules.push_back({.allow = true, .type = device.type, .major = device.major, .minor = device.minor});
  return rules;
}

std::vector<std::string> masked_paths() {
  return {
      "/proc/asound",         // the host's sound devices
      "/proc/acpi",           // switches devices of the host
      "/proc/interrupts",     // timing of other processes
      "/proc/kcore",          // the host's memory
      "/proc/keys",           // keys of other containers
      "/proc/latency_stats",  // stacks of other processes
      "/proc/timer_list",     // kernel addresses
      "/proc/timer_stats",
      "/proc/sched_debug",              // all processes of the host
      "/proc/scsi",                     // removes devices of the host
      "/sys/firmware",                  // ACPI tables, EFI variables
      "/sys/devices/virtual/powercap",  // power readings leak secrets (PLATYPUS)
  };
}

std::vector<std::string> readonly_paths() {
  return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

}  // namespace fermata::runtime
