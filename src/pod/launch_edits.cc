// What CDI devices bring along, in the words of a launch: nodes and mounts.
#include <fmt/format.h>

#include <algorithm>

#include "pod/devices.h"
#include "pod/launcher.h"
#include "runtime/mount_trees.h"

namespace fermata::pod {
namespace {

bool binds(const oci::Mount& mount) {
  const auto has = [&](const char* option) {
    return std::find(mount.options.begin(), mount.options.end(), option) != mount.options.end();
  };
  return mount.type == "bind" || has("bind") || has("rbind");
}

// For `inspect`.
VolumeMount shown(const oci::Mount& mount) {
  const bool readonly = std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
  return {.kind = binds(mount) ? VolumeMount::Kind::bind : VolumeMount::Kind::tmpfs,
          .source = binds(mount) ? mount.source : "",
          .destination = mount.destination,
          .readonly = readonly};
}

}  // namespace

Result<void> Launcher::add_edited_nodes(std::vector<oci::Device>* nodes,
                                        std::vector<AllowedDevice>* allowed) {
  for (const cdi::DeviceNode& wanted : container_.config.edits.device_nodes) {
    TRY(auto found, find_edited_device(wanted, container_.runtime.user));
    std::erase_if(*nodes, [&](const oci::Device& other) { return other.path == found.device.path; });
    TRY(add_device({.host = wanted.host_path, .container = wanted.path, .access = found.access}, found.device,
                   nodes));
    // A pipe is no matter of the device controller.
    if (found.device.type != 'p' && !found.access.empty()) allowed->push_back(std::move(found));
  }
  return {};
}

Result<void> Launcher::add_edited_mounts(std::vector<oci::Mount>* mounts) {
  oci::RuntimeSpec part;
  if (user_namespace_ >= 0)
    part.namespaces.push_back({.type = oci::Namespace::Type::user, .fd = user_namespace_});
  for (const cdi::Mount& wanted : container_.config.edits.mounts) {
    oci::Mount mount = {.destination = wanted.destination,
                        .type = wanted.type,
                        .source = wanted.source,
                        .options = wanted.options};
    // Files of the host's root would be nobody's there.
    if (user_namespace_ >= 0 && binds(mount)) mount.options.emplace_back("idmap");
    part.mounts.push_back(std::move(mount));
  }
  auto opened = runtime::open_mounts(&part, "/");
  if (!opened) return fail_with(std::move(opened.error()), "CDI devices");
  for (UniqueFd& descriptor : opened->descriptors) kept_.push_back(std::move(descriptor));
  for (std::string& skipped : opened->skipped) warn(std::move(skipped));
  for (oci::Mount& mount : part.mounts) {
    container_.runtime.mounts.emplace_back(mount.source, shown(mount));
    mounts->push_back(std::move(mount));
  }
  return {};
}

}  // namespace fermata::pod
