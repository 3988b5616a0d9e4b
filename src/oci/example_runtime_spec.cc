// The config.json that `spec` writes: something to run and to edit.
#include <nlohmann/json.hpp>

#include "oci/runtime_document.h"

namespace fermata::oci {
namespace {

// Keeps the fields in the order in which a reader looks for them.
using Json = nlohmann::ordered_json;

Json example_process() {
  const Json capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  return {{"terminal", true},
          {"user", {{"uid", 0}, {"gid", 0}}},
          {"args", {"sh"}},
          {"env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}},
          {"cwd", "/"},
          {"capabilities",
           {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}},
          {"rlimits", Json::array({{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}})},
          {"noNewPrivileges", true}};
}

Json example_mount(const char* destination, const char* type, const char* source, Json options) {
  Json mount = {{"destination", destination}, {"type", type}, {"source", source}};
  if (!options.empty()) mount["options"] = std::move(options);
  return mount;
}

Json example_mounts() {
  return Json::array(
      {example_mount("/proc", "proc", "proc", Json::array()),
       example_mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
       example_mount("/dev/pts", "devpts", "devpts",
                     {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
       example_mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
       example_mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
       example_mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
       example_mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})});
}

Json example_linux() {
  Json namespaces = Json::array();
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
    namespaces.push_back({{"type", type}});
  return {{"resources", {{"devices", Json::array({{{"allow", false}, {"access", "rwm"}}})}}},
          {"namespaces", std::move(namespaces)},
          {"maskedPaths",
           {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"}},
          {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
}

}  // namespace

std::string example_runtime_spec() {
  const Json document = {{"ociVersion", kRuntimeSpecVersion},
                         {"process", example_process()},
                         {"root", {{"path", "rootfs"}, {"readonly", true}}},
                         {"hostname", "fermata"},
                         {"mounts", example_mounts()},
                         {"linux", example_linux()}};
  return document.dump(2) + "\n";
}

}  // namespace fermata::oci
