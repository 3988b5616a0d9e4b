// `info`: the host and what the engine has.
#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "oci/image_config.h"
#include "pod/engine_impl.h"
#include "pod/sandbox.h"

namespace fermata::pod {
namespace {

// os-release(5).
std::string operating_system() {
  const auto text = read_file("/etc/os-release", 1u << 16);
  if (!text) return "Linux";
  for (const std::string_view line : split(*text, '\n')) {
    const auto pair = split_once(line, '=');
    if (!pair || pair->first != "PRETTY_NAME") continue;
    std::string_view name = trim(pair->second);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    return std::string(name);
  }
  return "Linux";
}

std::string cgroup_version(const kernel::CgroupMounts& mounts) {
  if (mounts.pure_v2()) return "2";
  return mounts.unified.empty() ? "1" : "1 (hybrid)";
}

std::vector<std::string> controller_warnings(const kernel::CgroupMounts& mounts) {
  std::vector<std::string> warnings;
  if (mounts.pure_v2()) {
    const auto controllers = read_file(mounts.unified + "/cgroup.controllers", 4096);
    for (const char* name : {"memory", "cpu", "pids"})
      if (!controllers || controllers->find(name) == std::string::npos)
        warnings.push_back(fmt::format("No {} limit support", name));
    return warnings;
  }
  for (const char* name : {"memory", "cpu", "pids"}) {
    bool found = false;
    for (const auto& mount : mounts.v1)
      for (const std::string_view controller : split(mount.controllers, ','))
        found = found || controller == name;
    if (!found) warnings.push_back(fmt::format("No {} limit support", name));
  }
  return warnings;
}

}  // namespace

Result<EngineInfo> Engine::Impl::info() {
  EngineInfo info{.root = options_.root, .run_root = options_.run_root};
  utsname name = {};
  if (::uname(&name) != 0) return fail(errno, "uname");
  info.kernel = name.release;
  info.hostname = name.nodename;
  info.architecture = oci::host_architecture();
  info.operating_system = operating_system();
  info.cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo memory = {};
  if (::sysinfo(&memory) == 0) info.memory = static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit;
  TRY(const auto* mounts, cgroup_mounts());
  info.cgroup_version = cgroup_version(*mounts);
  info.cgroup_driver = to_string(options_.cgroup_manager);
  info.warnings = controller_warnings(*mounts);
  info.security_options = {"seccomp"};
  if (mounts->pure_v2()) info.security_options.emplace_back("cgroupns");
  info.user_namespaces = try_mapped_layers(options_.root, options_.run_root + "/rootfs").has_value();
  TRY(const auto containers, list({.all = true}));
  info.containers = containers.size();
  for (const auto& container : containers) {
    info.paused += container.paused ? 1 : 0;
    info.running += container.state == ContainerState::running && !container.paused ? 1 : 0;
  }
  info.stopped = info.containers - info.running - info.paused;
  TRY(const auto listed, images_->list(true));
  info.images = listed.size();
  return info;
}

}  // namespace fermata::pod
