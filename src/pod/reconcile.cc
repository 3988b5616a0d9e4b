// Finishing or undoing what killed commands left. Every command looks at the intents, which is one read of a
// table that is nearly always empty; everything else is found by those who come across it (settle.cc).
#include <algorithm>

#include "pod/engine_impl.h"

namespace fermata::pod {

Result<void> Engine::Impl::reconcile() {
  TRY(const auto intents, store().intents());
  std::vector<std::int64_t> unfinished_images;
  for (const Intent& intent : intents) {
    const std::int64_t start = process_start(intent.pid);
    if (start != 0 && start == intent.pid_start) continue;  // at work
    if (intent.kind == "start") {
      TRY(const auto lock, lock_pod(intent.object));
      // A pod that became ready, or was taken up by another start meanwhile, is not ours to end.
      auto pod = store().pod(intent.object);
      if (pod && !pod->ready) {
        TRY(auto live, reach(pod->id));
        TRY(destroy_sandbox(*pod, std::move(live)));
      }
      TRY(store().remove_intent(intent.id));
    } else if (intent.kind == "remove") {
      auto container = store().container(intent.object);
      if (container) {
        TRY(const auto lock, lock_pod(container->pod));
        TRY(settle_locked(container->pod));
        // Another command may have finished it while we waited.
        if (store().container(container->id)) TRY(remove_settled(*container, intent.volumes));
      }
      TRY(store().remove_intent(intent.id));
    } else {
      unfinished_images.push_back(intent.id);
    }
  }
  if (!unfinished_images.empty()) {
    TRY(images_->reconcile());
    for (const std::int64_t id : unfinished_images) TRY(store().remove_intent(id));
  }
  const bool started =
      std::any_of(intents.begin(), intents.end(), [](const Intent& i) { return i.kind == "start"; });
  return started ? remove_common_groups() : Result<void>();
}

}  // namespace fermata::pod
