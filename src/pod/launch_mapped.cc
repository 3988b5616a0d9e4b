// Starting a container in its pod's user namespace: what its root cannot reach, or may not make, is opened
// here with the host's privileges.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "kernel/mounts.h"
#include "pod/launcher.h"
#include "pod/sandbox.h"
#include "pod/user_ids.h"
#include "runtime/stream_owner.h"

namespace fermata::pod {

std::optional<std::uint32_t> stream_owner(const PodConfig& pod, const oci::User& user) {
  return pod.user_namespace ? runtime::host_id(pod.user_namespace->uids, user.uid) : std::nullopt;
}

void Launcher::map_users(oci::RuntimeSpec& spec) const {
  spec.namespaces.push_back({.type = oci::Namespace::Type::user, .fd = user_namespace_});
  if (!pod_.config.user_namespace) return;
  spec.uid_mappings = pod_.config.user_namespace->uids;
  spec.gid_mappings = pod_.config.user_namespace->gids;
  // Files of the host's root for all but the kernel's network and, since 6.10, IPC ones. Those of the pod's
  // IPC namespace were written with it.
  std::erase_if(spec.sysctl,
                [&](const auto& entry) { return pod_.config.ipc_sysctls.contains(entry.first); });
  if (const auto name = spec.sysctl.find("kernel.domainname"); name != spec.sysctl.end()) {
    spec.domainname = name->second;
    spec.sysctl.erase(name);
  }
}

// Lower layers show the mapped owners; what is written belongs to those on disk, too.
Result<void> Launcher::open_mapped_root(oci::RuntimeSpec& spec, const std::string& directory) {
  const std::string upper = directory + "/upper";
  TRY(own_by_root(upper, *pod_.config.user_namespace));
  const auto& layers = container_.runtime.resolved.layers;
  UniqueFd root;
  if (layers.empty()) {
    TRY(root, kernel::clone_tree(upper, false));
  } else {
    TRY(root, clone_writable_layers(view({layers.rbegin(), layers.rend()}), upper, directory + "/work"));
  }
  spec.root_tree = keep(std::move(root));
  return {};
}

LayerView Launcher::view(std::vector<std::string> names) const {
  return {.directory = engine_.images().layers_directory(),
          .names = std::move(names),
          .mount_point = engine_.options().run_root + kRootMountPoint,
          .user_namespace = user_namespace_};
}

// Init binds the host's node of the same path; where the container knows it by another, it is bound here.
Result<void> Launcher::add_device(const DeviceRequest& request, const oci::Device& device,
                                  std::vector<oci::Device>* nodes) {
  if (user_namespace_ < 0 || request.host == request.container) {
    nodes->push_back(device);
    return {};
  }
  const std::string source = request.host + device.path.substr(request.container.size());
  TRY(UniqueFd tree, kernel::clone_tree(source, false));
  device_mounts_.push_back({.destination = device.path,
                            .type = "bind",
                            .source = source,
                            .options = {"bind"},
                            .tree = keep(std::move(tree)),
                            .file_target = true});
  return {};
}

}  // namespace fermata::pod
