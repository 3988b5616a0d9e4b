// Other limits for a container: kept for its next starts, and set at once in one that runs.
#include <fmt/format.h>

#include "pod/engine_impl.h"
#include "pod/limits.h"

namespace fermata::pod {
namespace {

Result<std::string> set_limits(kernel::Cgroup& group, const Resources& old, const Resources& changes,
                               const Resources& wanted) {
  kernel::CgroupLimits limits = limits_after_update(wanted);
  auto set = apply_limits(group, wanted, limits);
  // The first failure is the one to tell.
  if (!set) static_cast<void>(group.apply(limits_before_update(old, changes)).has_value());
  return set;
}

}  // namespace

Result<std::string> Engine::Impl::update_locked(ContainerRow& container, const Resources& changes) {
  if (container.state == ContainerState::removing)
    return fail(ErrorKind::conflict, "container is marked for removal and cannot be \"update\"");
  const Resources old = container.config.resources;
  TRY(container.config.resources, change_resources(old, changes));
  if (container.config.pod.empty()) TRY(check_least_memory(container.config.resources));
  TRY(check_machine_resources(container.config.resources));
  TRY(store().update_config(container));
  TRY(const auto live, reach(container.pod));
  if (!live || !live->runs(container.id)) return std::string();
  TRY(const PodRow pod, store().pod(container.pod));
  TRY(auto group, group_of(pod, container.id));
  auto set = set_limits(group, old, changes, container.config.resources);
  if (set) return set;
  container.config.resources = old;
  TRY(store().update_config(container));
  return set;
}

Result<std::string> Engine::Impl::update(const std::string& reference, const Resources& changes) {
  TRY(const auto found, find(reference));
  TRY(const auto lock, lock_pod(found.pod));
  // It may have changed while we waited.
  TRY(auto container, store().container(found.id));
  auto updated = update_locked(container, changes);
  if (!updated)
    return fail_with(std::move(updated.error()), fmt::format("Cannot update container {}", container.id));
  return updated;
}

}  // namespace fermata::pod
