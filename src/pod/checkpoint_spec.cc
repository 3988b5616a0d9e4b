#include "pod/checkpoint_spec.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/files.h"
#include "oci/runtime_document.h"
#include "pod/container_spec.h"
#include "pod/devices.h"
#include "pod/foreign.h"
#include "pod/foreign_spec.h"
#include "pod/sharing.h"

namespace fermata::pod {
namespace {

using Type = oci::Namespace::Type;

constexpr std::size_t kMaxDocument = 16u << 20;

struct Kind {
  Type type;
  const char* file;  // below /proc/<pid>/ns
};
constexpr auto kKinds = std::to_array<Kind>({{Type::user, "user"},
                                             {Type::mount, "mnt"},
                                             {Type::network, "net"},
                                             {Type::ipc, "ipc"},
                                             {Type::uts, "uts"},
                                             {Type::pid, "pid"},
                                             {Type::cgroup, "cgroup"}});

bool is_joined(Type type, const ContainerConfig& config, const PodConfig& pod) {
  switch (type) {
    case Type::user:
    case Type::network:
    case Type::uts:
      return true;
    case Type::ipc: {
      const IpcSource source = ipc_source(config, pod);
      return source != IpcSource::own && source != IpcSource::bare;
    }
    case Type::pid:
      return config.pid.kind == "container";
    default:
      return false;
  }
}

// The host's are not named: who says nothing has them.
Result<std::vector<oci::Namespace>> namespaces_of(const ContainerConfig& config, const PodConfig& pod,
                                                  int pid) {
  std::vector<oci::Namespace> namespaces;
  for (const Kind& kind : kKinds) {
    const std::string path = fmt::format("/proc/{}/ns/{}", pid, kind.file);
    const std::string own = fmt::format("/proc/self/ns/{}", kind.file);
    struct stat its = {}, ours = {};
    if (::stat(path.c_str(), &its) != 0) return fail(errno, "'{}'", path);
    if (::stat(own.c_str(), &ours) != 0) return fail(errno, "'{}'", own);
    if (its.st_ino == ours.st_ino) continue;
    namespaces.push_back({.type = kind.type, .path = is_joined(kind.type, config, pod) ? path : ""});
  }
  return namespaces;
}

bool is_there(const std::vector<oci::Mount>& mounts, const std::string& destination) {
  return std::any_of(mounts.begin(), mounts.end(),
                     [&](const oci::Mount& mount) { return mount.destination == destination; });
}

oci::Mount bind_of(const std::string& source, const std::string& destination, bool readonly) {
  return {.destination = destination,
          .type = "bind",
          .source = source,
          .options = {"rbind", readonly ? "ro" : "rw"}};
}

void add_mounts(Engine::Impl& engine, const PodRow& pod, const ContainerRow& container,
                std::vector<oci::Mount>* mounts) {
  const ContainerConfig& config = container.config;
  for (const auto& [source, mount] : container.runtime.mounts) {
    if (mount.kind == VolumeMount::Kind::tmpfs)
      mounts->push_back({.destination = mount.destination, .type = "tmpfs", .source = "tmpfs"});
    else
      mounts->push_back(bind_of(source, mount.destination, mount.readonly));
  }
  for (const cdi::Mount& mount : config.edits.mounts)
    mounts->push_back({.destination = mount.destination,
                       .type = mount.type.empty() ? "bind" : mount.type,
                       .source = mount.source,
                       .options = mount.options});
  if (!is_there(*mounts, "/dev/shm")) {
    const IpcSource source = ipc_source(config, pod.config);
    if (source == IpcSource::own)
      mounts->push_back({.destination = "/dev/shm", .type = "tmpfs", .source = "shm"});
    else if (source != IpcSource::bare)
      mounts->push_back(bind_of("shm", "/dev/shm", false));
  }
  for (const char* name : {"resolv.conf", "hostname", "hosts"}) {
    const std::string destination = fmt::format("/etc/{}", name);
    if (!is_there(*mounts, destination))
      mounts->push_back(
          bind_of(engine.run_directory(pod.id) + "/" + name, destination, config.readonly_root));
  }
}

// What has gone from the host since the start is not told.
std::vector<AllowedDevice> devices_of(const ContainerRow& container) {
  const ContainerConfig& config = container.config;
  std::vector<AllowedDevice> devices;
  if (config.privileged) devices = all_host_devices();
  for (const std::string& text : config.devices) {
    const auto request = parse_device(text);
    if (!request) continue;
    if (const auto found = find_devices(*request))
      devices.insert(devices.end(), found->begin(), found->end());
  }
  for (const cdi::DeviceNode& node : config.edits.device_nodes)
    if (auto found = find_edited_device(node, container.runtime.user)) devices.push_back(std::move(*found));
  return devices;
}

Result<oci::RuntimeSpec> own_spec(Engine::Impl& engine, const PodRow& pod, const ContainerRow& container) {
  const auto devices = devices_of(container);
  SpecInput input{.config = container.config,
                  .resolved = container.runtime.resolved,
                  .user = container.runtime.user,
                  .env = container.runtime.env,
                  .devices = {}};
  for (const AllowedDevice& allowed : devices) input.devices.push_back(allowed.device);
  TRY(oci::RuntimeSpec spec, make_spec(input));
  add_mounts(engine, pod, container, &spec.mounts);
  spec.root_path = "rootfs";
  spec.hostname = pod.config.hostname;
  spec.cgroups_path = "/" + engine.container_cgroup(pod, container.id);
  spec.resources = foreign_resources(make_limits(container.config, devices));
  if (pod.config.user_namespace) {
    spec.uid_mappings = pod.config.user_namespace->uids;
    spec.gid_mappings = pod.config.user_namespace->gids;
  }
  return spec;
}

// Of another OCI runtime: what it was told.
Result<oci::RuntimeSpec> told_spec(Engine::Impl& engine, const ContainerRow& container) {
  const ForeignContainer foreign(engine.options().run_root, container);
  TRY(const std::string document, read_file(foreign.path("config.json"), kMaxDocument));
  return oci::parse_runtime_spec(document);
}

}  // namespace

Result<oci::RuntimeSpec> checkpoint_spec(Engine::Impl& engine, const PodRow& pod,
                                         const ContainerRow& container, int pid) {
  TRY(oci::RuntimeSpec spec,
      is_foreign(container) ? told_spec(engine, container) : own_spec(engine, pod, container));
  TRY(spec.namespaces, namespaces_of(container.config, pod.config, pid));
  for (const auto& [key, value] : container.config.annotations) spec.annotations[key] = value;
  return spec;
}

}  // namespace fermata::pod
