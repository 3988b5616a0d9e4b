// Finishing or undoing what killed commands left. Every command looks at the intents, which is one read of a
// table that is nearly always empty; everything else is found by those who come across it (settle.cc).
#include "pod/engine_impl.h"

namespace fermata::pod {

Result<void> Engine::Impl::undo_start(const Intent& intent) {
  TRY(const auto lock, lock_pod(intent.object));
  // A pod that became ready, or was taken up by another start meanwhile, is not ours to end.
  const auto row = store().pod(intent.object);
  if (row && row->ready) return {};
  // Its row may have been removed, but not what could not be undone then.
  PodRow pod;
  pod.id = intent.object;
  pod.config.net = "bridge";
  if (row) pod = *row;
  TRY(auto live, reach(pod.id));
  TRY(destroy_sandbox(pod, std::move(live)));
  return {};
}

Result<void> Engine::Impl::finish_removal(const Intent& intent) {
  auto container = store().container(intent.object);
  if (!container) return {};
  TRY(const auto lock, lock_pod(container->pod));
  TRY(settle_locked(container->pod));
  // Another command may have finished it while we waited.
  if (!store().container(container->id)) return {};
  return remove_settled(*container, intent.volumes);
}

Result<void> Engine::Impl::reconcile() {
  TRY(const auto intents, store().intents());
  std::vector<std::int64_t> unfinished_images;
  bool started = false;
  for (const Intent& intent : intents) {
    if (intent.at_work()) continue;
    if (intent.kind == "start" || intent.kind == "remove" || intent.kind == "restart" ||
        intent.kind == "run" || intent.kind == "checkpoint") {
      started = started || intent.kind == "start";
      // What cannot be finished now (a file that cannot be removed) keeps its intent for the next command. It
      // is no reason to refuse this one, which may be about something else; `rm` and `start` of the object
      // itself come across the obstacle again and name it.
      const auto done = intent.kind == "start"        ? undo_start(intent)
                        : intent.kind == "remove"     ? finish_removal(intent)
                        : intent.kind == "run"        ? undo_run(intent)
                        : intent.kind == "checkpoint" ? undo_checkpoint(intent)
                                                      : finish_restart(intent.object);
      if (done) TRY(store().remove_intent(intent.id));
    } else {
      unfinished_images.push_back(intent.id);
    }
  }
  if (!unfinished_images.empty() && images_->reconcile())
    for (const std::int64_t id : unfinished_images) TRY(store().remove_intent(id));
  // What fails is left for the next one too.
  if (started) (void)remove_common_groups();
  TRY(auto* net, network());
  (void)net->maintain();
  return {};
}

}  // namespace fermata::pod
