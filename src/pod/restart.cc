// Restarting. Between the stop and the start a --rm container has ended and must stay: an intent says so, to
// the monitor's event command as to everybody else, for as long as the command that restarts it lives.
#include <algorithm>

#include "pod/engine_impl.h"
#include "pod/sharing.h"

namespace fermata::pod {

Result<bool> Engine::Impl::being_restarted(const std::string& id) {
  TRY(const auto intents, store().intents());
  return std::any_of(intents.begin(), intents.end(), [&](const Intent& intent) {
    return intent.kind == "restart" && intent.object == id && intent.at_work();
  });
}

Result<void> Engine::Impl::finish_restart(const std::string& id) {
  const auto container = store().container(id);
  if (!container) return {};
  {
    TRY(const auto lock, lock_pod(container->pod));
    TRY(settle_locked(container->pod));
    // The pod may be at rest, with nothing left to settle, or half made, when the command was killed.
    const auto left = store().container(id);
    TRY(const bool comes_back, being_restarted(id));
    TRY(auto live, reach(container->pod));
    if (left && !comes_back && !(live && live->runs(id))) {
      TRY(const PodRow pod, store().pod(left->pod));
      if (!pod.ready) TRY(destroy_sandbox(pod, std::move(live)));
      TRY(remove_settled(*left, true));
    }
  }
  return remove_common_groups();
}

Result<void> Engine::Impl::restart(const std::string& reference, std::optional<int> timeout,
                                   const std::string& signal) {
  TRY(const auto container, find(reference));
  bool running = false;
  {
    TRY(const auto live, reach(container.pod));
    running = live && live->runs(container.id);
  }
  if (running) {
    // One that could not join the others again must not end.
    TRY(const PodRow pod, store().pod(container.pod));
    TRY(Sharing(*this).check_targets(container, pod));
  }
  const auto stop_and_start = [&]() -> Result<void> {
    TRY(stop(container.id, timeout, signal));
    auto started = start(reference, {}, running);
    if (!started) return tl::unexpected(std::move(started.error().error));
    return {};
  };
  if (!container.config.auto_remove) return stop_and_start();
  TRY(const std::int64_t intent, store().add_intent("restart", container.id, false));
  auto restarted = stop_and_start();
  TRY(store().remove_intent(intent));
  TRY(finish_restart(container.id));
  return restarted;
}

}  // namespace fermata::pod
