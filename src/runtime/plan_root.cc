// The root file system, from where it comes to where init finds it.
#include <fmt/format.h>
#include <sys/mount.h>

#include <algorithm>

#include "runtime/mount_options.h"
#include "runtime/overlay_options.h"
#include "runtime/plan_mounts.h"

namespace fermata::runtime {
namespace {

using init::Op;

void bind_root(const std::string& source, const std::string& target, PlanBuilder* plan) {
  plan->add({.op = Op::mount_root, .flags = MS_BIND | MS_REC, .strings = {"", source, target, ""}},
            fmt::format("use '{}' as the root", source));
}

Result<void> plan_overlay(const oci::RuntimeSpec::Overlay& overlay, const std::string& label,
                          const std::string& mount_point, PlanBuilder* plan) {
  plan->add({.op = Op::change_directory, .strings = {overlay.layers_directory}},
            fmt::format("enter the layers at '{}'", overlay.layers_directory));
  // Overlay wants an upper and a lower layer, or two lower ones; what is alone is the root itself.
  if (overlay.lower.empty() && overlay.upper.empty())
    return fail(ErrorKind::invalid_argument, "a root file system without any layer");
  if (overlay.lower.empty()) {
    bind_root(overlay.upper, mount_point, plan);
    return {};
  }
  if (overlay.lower.size() == 1 && overlay.upper.empty()) {
    bind_root(overlay.lower[0], mount_point, plan);
    return {};
  }
  TRY(const std::string data, overlay_options(overlay, label));
  plan->add({.op = Op::mount_root, .strings = {"overlay", "overlay", mount_point, data}},
            "mount the overlay root file system");
  return {};
}

}  // namespace

bool has_user_namespace(const oci::RuntimeSpec& spec) {
  return std::any_of(spec.namespaces.begin(), spec.namespaces.end(),
                     [](const oci::Namespace& one) { return one.type == oci::Namespace::Type::user; });
}

Result<void> plan_root(const oci::RuntimeSpec& spec, const StartOptions& options, PlanBuilder* plan) {
  const std::uint32_t propagation =
      spec.rootfs_propagation.empty() ? MS_SLAVE | MS_REC : parse_propagation(spec.rootfs_propagation);
  if (propagation == 0)
    return fail(ErrorKind::invalid_argument, "unknown root propagation '{}'", spec.rootfs_propagation);
  // Nothing may go to the host. What it mounts later reaches us only where the container asked for it.
  const std::uint32_t towards_host = (propagation & (MS_SLAVE | MS_SHARED)) != 0 ? MS_SLAVE : MS_PRIVATE;
  plan->add({.op = Op::set_propagation, .flags = towards_host | MS_REC},
            "cut the mounts off from the host's");
  if (spec.root_tree >= 0) {
    // Hooks run between the host's files and the container's: they look for the root by its path.
    const bool by_path = options.synchronize && !spec.mount_point.empty();
    plan->add({.op = Op::attach_root, .fd = spec.root_tree, .strings = {by_path ? spec.mount_point : "/"}},
              "attach the root file system");
    return {};
  }
  if (has_user_namespace(spec))
    return fail(ErrorKind::unsupported,
                "with a user namespace the root file system has to be opened beforehand");
  if (spec.mount_point.empty() || spec.mount_point[0] != '/')
    return fail(ErrorKind::invalid_argument, "the root's mount point '{}' is not an absolute path",
                spec.mount_point);
  if (spec.overlay) {
    TRY(plan_overlay(*spec.overlay, spec.mount_label, spec.mount_point, plan));
  } else if (!spec.root_path.empty()) {
    bind_root(spec.root_path, spec.mount_point, plan);
  } else {
    return fail(ErrorKind::invalid_argument, "no root file system");
  }
  plan->add({.op = Op::open_root, .strings = {spec.mount_point}}, "open the root file system");
  return {};
}

}  // namespace fermata::runtime
