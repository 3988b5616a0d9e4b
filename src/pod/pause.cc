// Pausing: the processes of a container stand still until they are let go on. Whether they do is asked of the
// kernel, so that a freeze by other hands is seen, and nothing has to be recorded.
#include "pod/engine_impl.h"

namespace fermata::pod {

Result<kernel::Cgroup> Engine::Impl::group_of(const PodRow& pod, const std::string& container) {
  TRY(const auto* mounts, cgroup_mounts());
  return kernel::Cgroup::open(*mounts, container_cgroup(pod, container));
}

Result<bool> Engine::Impl::is_paused(const PodRow& pod, const std::string& container) {
  TRY(const auto group, group_of(pod, container));
  return group.frozen();
}

Result<void> Engine::Impl::thaw(const PodRow& pod, const std::string& container) {
  TRY(const auto group, group_of(pod, container));
  return group.frozen() ? group.freeze(false) : Result<void>();
}

Result<void> Engine::Impl::set_paused(const std::string& reference, bool paused) {
  TRY(const auto container, find(reference));
  // Between the question and the act nobody starts it anew.
  TRY(const auto lock, lock_pod(container.pod));
  TRY(const auto live, reach(container.pod));
  if (!live || !live->runs(container.id))
    return fail(ErrorKind::conflict, "Container {} is not running", container.id);
  TRY(const PodRow pod, store().pod(container.pod));
  TRY(const auto group, group_of(pod, container.id));
  if (group.frozen() == paused)
    return fail(ErrorKind::conflict, "Container {} is {} paused", container.id, paused ? "already" : "not");
  auto done = group.freeze(paused);
  if (done) return {};
  // What stands still already goes on: half a pause is none.
  if (paused) static_cast<void>(group.freeze(false).has_value());
  return fail_with(std::move(done.error()),
                   fmt::format("Cannot {} container {}", paused ? "pause" : "unpause", container.id));
}

}  // namespace fermata::pod
