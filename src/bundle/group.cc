#include "bundle/group.h"

#include <fmt/format.h>

#include "base/text.h"
#include "runtime/cgroup_limits.h"
#include "runtime/defaults.h"
#include "scope/properties.h"
#include "scope/scope_name.h"
#include "scope/scopes.h"

namespace fermata::bundle {
namespace {

// A container that may open certain devices only may always open those that every container has.
void allow_default_devices(kernel::CgroupLimits* limits) {
  if (limits->devices.empty()) return;
  for (kernel::DeviceRule& rule : runtime::default_device_rules())
    if (rule.allow) limits->devices.push_back(std::move(rule));
}

Result<scope::Keeper> start_scope(const kernel::CgroupLimits& limits, const std::string& id,
                                  const GroupPlace& place, bool v2) {
  TRY(scope::Scopes * systemd, scope::load_scopes());
  TRY(scope::Keeper keeper, scope::Keeper::start());
  scope::ScopeRequest request = {.slice = place.slice,
                                 .unit = place.unit,
                                 .description = fmt::format("fermata-oci container {}", id),
                                 .pid = keeper.pid(),
                                 .properties = {}};
  TRY(request.properties, scope::properties_of(limits, v2));
  TRY(const std::string path, systemd->start(request));
  if (path != place.path)
    return fail(ErrorKind::failed, "systemd has put '{}' into '{}' instead of '{}'", place.unit, path,
                place.path);
  return keeper;
}

Result<kernel::CgroupLimits> limits_here(const kernel::CgroupMounts& mounts, const oci::Resources& resources,
                                         const Warn& warn) {
  TRY(auto limits, runtime::limits_of(resources));
  if (mounts.pure_v2())
    for (const std::string& dropped : drop_limits_of_v1(&limits)) warn(dropped);
  return limits;
}

}  // namespace

std::vector<std::string> drop_limits_of_v1(kernel::CgroupLimits* limits) {
  std::vector<std::string> dropped;
  const auto drop = [&](std::string_view field, auto& limit) {
    if (!limit) return;
    limit.reset();
    dropped.push_back(
        fmt::format("linux.resources.memory.{} is ignored: cgroup v2 has no such limit", field));
  };
  drop("kernel", limits->memory_kernel_max);
  drop("kernelTCP", limits->memory_kernel_tcp_max);
  drop("swappiness", limits->memory_swappiness);
  return dropped;
}

Result<GroupPlace> group_place(const oci::RuntimeSpec& spec, const std::string& id, bool systemd) {
  GroupPlace place;
  if (systemd) {
    TRY(const scope::ScopeName name, scope::parse_scope_name(spec.cgroups_path, id));
    TRY(const std::string directory, scope::slice_directory(name.slice));
    place.slice = name.slice;
    place.unit = name.unit;
    place.path = directory.empty() ? name.unit : directory + "/" + name.unit;
    return place;
  }
  if (spec.cgroups_path.empty()) {
    place.path = "fermata-oci-" + id;
    return place;
  }
  for (const std::string_view part : split(spec.cgroups_path, '/'))
    if (!part.empty() && part != ".") place.path += (place.path.empty() ? "" : "/") + std::string(part);
  if (!kernel::Cgroup::is_path(place.path))
    return fail(
        ErrorKind::invalid_argument,
        "linux.cgroupsPath '{}': it must name a group below the root of the hierarchies, without '..'",
        spec.cgroups_path);
  return place;
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

Result<NewGroup> make_group(const kernel::CgroupMounts& mounts, const oci::RuntimeSpec& spec,
                            const std::string& id, const GroupPlace& place, const Warn& warn) {
  TRY(auto limits, limits_here(mounts, spec.resources, warn));
  allow_default_devices(&limits);
  std::optional<scope::Keeper> keeper;
  if (!place.unit.empty()) {
    TRY(scope::Keeper started, start_scope(limits, id, place, mounts.pure_v2()));
    keeper.emplace(std::move(started));
  }
  TRY(auto group, kernel::Cgroup::create(mounts, place.path));
  if (auto applied = group.apply(limits); !applied) {
    keeper.reset();
    static_cast<void>(remove_group(group, place.unit).has_value());  // the first failure is the one to tell
    return fail_with(std::move(applied.error()), "linux.resources");
  }
  return NewGroup{.cgroup = std::move(group), .keeper = std::move(keeper)};
}

Result<void> change_group(const Record& record, const oci::Resources& resources, const Warn& warn) {
  TRY(const auto mounts, kernel::CgroupMounts::of_host());
  TRY(const auto limits, limits_here(mounts, resources, warn));
  if (!record.scope.empty()) {
    TRY(scope::Scopes * systemd, scope::load_scopes());
    TRY(const auto properties, scope::properties_of(limits, mounts.pure_v2()));
    TRY(systemd->set_properties(record.scope, properties));
  }
  return kernel::Cgroup::open(mounts, record.cgroup).apply(limits);
}

Result<void> remove_group(const kernel::Cgroup& group, const std::string& unit) {
  TRY(group.remove());
  if (unit.empty()) return {};
  TRY(scope::Scopes * systemd, scope::load_scopes());
  TRY(systemd->stop(unit));
  return systemd->reset_failed(unit);
}

}  // namespace fermata::bundle
