// Removing a container: marked first, then its directories, then its row. A killed removal is finished by the
// next command, volumes included.
#include <fmt/format.h>

#include <chrono>

#include "base/files.h"
#include "pod/engine_impl.h"
#include "pod/foreign.h"
#include "pod/start_actions.h"
#include "pod/volumes.h"

namespace fermata::pod {
namespace {

constexpr std::chrono::milliseconds kProcessPatience{10000};  // for killed processes to be gone

Result<void> end_by_force(Engine::Impl& engine, const PodRow& pod, LivePod& live, const std::string& id) {
  // Somebody else's kill is as good; a failure shows later, where it still runs.
  (void)live.client.signal(id, 9);
  TRY(engine.kill_group(engine.container_cgroup(pod, id)));
  auto ended = live.client.wait_killed(id);
  // Another error: the monitor has ended, and said what it had to say.
  if (!ended && ended.error().kind() == ErrorKind::unavailable && ended.error().error_number() == 0)
    return tl::unexpected(std::move(ended.error()));
  return {};
}

}  // namespace

// The caller holds the pod's lock, and the container does not run.
Result<void> Engine::Impl::remove_settled(const ContainerRow& given, bool volumes) {
  ContainerRow container = given;
  run_stop_actions(*this, container);
  // The container goes, and with it whom a warning could be told.
  if (is_foreign(container)) (void)ForeignContainer(options_.run_root, container).forget();
  TRY(const auto anonymous, store().anonymous_volumes(container.id));
  std::int64_t intent = 0;
  {
    // Not durable on disk on purpose: after a power cut the row may be back without its directory, and is
    // removed again.
    TRY(auto transaction, state::Transaction::begin(*database_));
    container.state = ContainerState::removing;
    TRY(store().update_state(container));
    TRY(store().remove_intents("remove", container.id));  // of attempts that failed
    TRY(intent, store().add_intent("remove", container.id, volumes));
    TRY(transaction.commit());
  }
  auto pod = store().pod(container.pod);
  if (pod && pod->ready) {
    TRY(const auto members, store().members(pod->id));
    if (members.size() == 1) {
      // It has ended since the pod was settled: without a row nobody would find the sandbox any more.
      TRY(auto live, reach(pod->id));
      TRY(const bool destroyed, destroy_sandbox(*pod, std::move(live)));
      if (!destroyed)
        return fail(ErrorKind::conflict, "a process still runs in the pod of container {}", container.name);
      pod->ready = false;
      pod->runtime = {};
      TRY(store().update(*pod));
    } else {
      TRY(const auto* mounts, cgroup_mounts());
      const auto group = kernel::Cgroup::open(*mounts, container_cgroup(*pod, container.id));
      if (group.exists()) {
        // What shared another's PID namespace was killed when its first process had ended, and may take its
        // time on a busy machine.
        TRY(const bool empty, group.wait_empty(kProcessPatience));
        if (!empty)
          return fail(ErrorKind::unavailable, "killed processes of container {} do not end", container.name);
        TRY(group.remove());
      }
    }
  }
  TRY(remove_tree(container_directory(container.id)));
  if (volumes)
    for (const std::string& volume : anonymous) TRY(remove_tree(volume_directory(options_.root, volume)));

  TRY(auto transaction, state::Transaction::begin(*database_));
  if (volumes)
    for (const std::string& volume : anonymous) TRY(store().remove_volume(volume));
  TRY(store().orphan_volumes(container.id));
  TRY(store().remove_container(container.id));
  if (pod && pod->config.infra == container.id) {
    // Its members cannot be without a PID 1 that never comes back, but their network can.
    pod->config.infra.clear();
    TRY(store().update(*pod));
  }
  TRY(store().remove_pod_if_empty(container.pod));
  TRY(store().remove_intent(intent));
  return transaction.commit();
}

Result<void> Engine::Impl::remove(const std::string& reference, const RemoveOptions& options) {
  TRY(auto container, find(reference));
  TRY(auto live, reach(container.pod));
  if (live && live->runs(container.id)) {
    TRY(const PodRow pod, store().pod(container.pod));
    TRY(const bool paused, is_paused(pod, container.id));
    if (!options.force && paused)
      return fail(ErrorKind::conflict,
                  "cannot remove container \"/{}\": container is paused and must be unpaused first",
                  container.name);
    if (!options.force)
      return fail(ErrorKind::conflict,
                  "cannot remove container \"/{}\": container is running: stop the container before removing "
                  "or force "
                  "remove",
                  container.name);
    TRY(end_by_force(*this, pod, *live, container.id));
  }
  live.reset();
  {
    TRY(const auto lock, lock_pod(container.pod));
    TRY(settle_locked(container.pod));
    TRY(auto now, reach(container.pod));
    if (now && now->runs(container.id)) {
      if (!options.force)
        return fail(ErrorKind::conflict, "container \"/{}\" was started again meanwhile", container.name);
      // A start was quicker than the lock; none is any more.
      TRY(const PodRow pod, store().pod(container.pod));
      TRY(end_by_force(*this, pod, *now, container.id));
      now.reset();
      TRY(settle_locked(container.pod));
    }
    const auto again = store().container(container.id);
    if (again) {
      TRY(const bool comes_back, being_restarted(again->id));
      if (comes_back && !options.force)
        return fail(ErrorKind::conflict,
                    "cannot remove container \"/{}\": container is restarting: stop the container before "
                    "removing or force remove",
                    container.name);
      TRY(remove_settled(*again, options.volumes));
    }
  }
  return remove_common_groups();
}

}  // namespace fermata::pod
