#include "bundle/group.h"

#include "base/text.h"
#include "runtime/cgroup_limits.h"
#include "runtime/defaults.h"

namespace fermata::bundle {
namespace {

// A container that may open certain devices only may always open those that every container has.
void allow_default_devices(kernel::CgroupLimits* limits) {
  if (limits->devices.empty()) return;
  for (kernel::DeviceRule& rule : runtime::default_device_rules())
    if (rule.allow) limits->devices.push_back(std::move(rule));
}

}  // namespace

std::string group_path(const oci::RuntimeSpec& spec, const std::string& id) {
  if (spec.cgroups_path.empty()) return "fermata-oci-" + id;
  std::string path;
  for (const std::string_view part : split(spec.cgroups_path, '/'))
    if (!part.empty() && part != ".") path += (path.empty() ? "" : "/") + std::string(part);
  return path;
}

// A group in which cgroup.kill was once written is no good for CLONE_INTO_CGROUP: since 6.14 the kernel kills
// what is born into it.
Result<void> vacate_group(const kernel::CgroupMounts& mounts, const std::string& path) {
  const auto old = kernel::Cgroup::open(mounts, path);
  if (!old.exists()) return {};
  TRY(const auto members, old.processes());
  if (!members.empty())
    return fail(ErrorKind::conflict, "linux.cgroupsPath '{}': {} processes are in this control group", path,
                members.size());
  return old.remove();
}

Result<kernel::Cgroup> make_group(const kernel::CgroupMounts& mounts, const oci::RuntimeSpec& spec,
                                  const std::string& path) {
  TRY(auto limits, runtime::limits_of(spec.resources));
  allow_default_devices(&limits);
  TRY(auto group, kernel::Cgroup::create(mounts, path));
  if (auto applied = group.apply(limits); !applied) {
    static_cast<void>(group.remove().has_value());  // the first failure is the one to tell
    return fail_with(std::move(applied.error()), "linux.resources");
  }
  return group;
}

}  // namespace fermata::bundle
