// Bringing the records in line with what has ended, and a pod to rest when nothing runs in it any more.
// Whoever finds such a pod does it: the monitor's event command, or the next command that comes across.
#include <fmt/format.h>

#include "base/files.h"
#include "base/id.h"
#include "pod/engine_impl.h"
#include "pod/foreign.h"
#include "pod/start_actions.h"

namespace fermata::pod {
namespace {

bool shares_pid(const ContainerConfig& config) {
  return config.pid.kind == "container" || config.pid.kind == "host";
}

// The infra process is the pod's life: its members end with it.
Result<void> end_members(Engine::Impl& engine, const PodRow& pod, LivePod& live) {
  TRY(engine.kill_group(engine.pod_cgroup(pod) + "/ctrs"));
  for (const auto& process : live.processes)
    if (process.exit_code < 0 && (process.flags & monitor::kExec) == 0)
      TRY(live.client.wait_killed(process.id));
  return live.refresh();
}

}  // namespace

// An older monitor has its event command come after us, which finds nothing to do.
void Engine::Impl::claim_ends(LivePod& live, const std::string& id) {
  if (options_.resident) (void)live.client.claim_ends(id);
}

// Mostly it has ended with what it kept.
void Engine::Impl::ends_settled(LivePod& live) {
  if (options_.resident) (void)live.client.ends_settled();
}

// The row says whether it is still to be done, and else stays as it is: the monitor knows more.
Result<void> Engine::Impl::act_on_end(ContainerRow& container) {
  if (!container.runtime.stop_actions || container.state == ContainerState::running) return {};
  run_stop_actions(*this, container);
  TRY(ContainerRow row, store().container(container.id));
  row.runtime.stop_actions = false;
  row.runtime.resctrl = {};
  row.runtime.warnings = container.runtime.warnings;
  return store().update_state(row);
}

Result<void> Engine::Impl::forget_foreign(const ContainerRow& container) {
  if (!is_foreign(container) || container.state == ContainerState::running) return {};
  auto forgotten = ForeignContainer(options_.run_root, container).forget();
  if (forgotten) return {};
  TRY(ContainerRow row, store().container(container.id));
  row.runtime.warnings.push_back(forgotten.error().message());
  return store().update_state(row);
}

Result<void> Engine::Impl::settle_locked(const std::string& id) {
  auto found = store().pod(id);
  if (!found)
    return found.error().kind() == ErrorKind::not_found ? Result<void>() : tl::unexpected(found.error());
  PodRow pod = std::move(*found);
  TRY(auto live, reach(id));
  if (!pod.ready && !live) return {};
  TRY(auto members, store().members(id));
  if (pod.ready && live) {
    const auto* infra = pod.config.infra.empty() ? nullptr : live->find(pod.config.infra);
    if (infra != nullptr && infra->exit_code >= 0 && live->anything_runs())
      TRY(end_members(*this, pod, *live));
    for (ContainerRow& member : members) {
      const auto* process = live->find(member.id);
      // In a PID namespace of its own the kernel has done it already, unless it is another runtime's, of
      // which we may have lost sight.
      if (process != nullptr && process->exit_code >= 0 && (shares_pid(member.config) || is_foreign(member)))
        TRY(kill_group(container_cgroup(pod, member.id)));
    }
  }
  for (ContainerRow& member : members) {
    present(member, live ? &*live : nullptr);
    TRY(act_on_end(member));
    TRY(forget_foreign(member));
  }
  const bool resting = !live || !pod.ready || !live->anything_runs();
  if (resting) {
    TRY(const bool destroyed, destroy_sandbox(pod, std::move(live)));
    if (!destroyed) return {};  // an exec was quicker; its end brings us here again
    pod.ready = false;
    pod.runtime = {};
    TRY(auto transaction, state::Transaction::begin(*database_));
    for (const ContainerRow& member : members) TRY(store().update_state(member));
    TRY(store().update(pod));
    TRY(transaction.commit());
  }
  for (const ContainerRow& member : members) {
    if (!member.config.auto_remove || member.state != ContainerState::exited) continue;
    TRY(const bool comes_back, being_restarted(member.id));
    if (!comes_back) TRY(remove_settled(member, true));
  }
  return {};
}

Result<void> Engine::Impl::settle(const std::string& pod) {
  {
    TRY(const auto lock, lock_pod(pod));
    TRY(settle_locked(pod));
  }
  return remove_common_groups();
}

Result<void> Engine::Impl::settle_if_idle(const std::string& pod) {
  {
    TRY(const auto lock, try_lock_pod(pod));
    if (!lock) return {};
    TRY(settle_locked(pod));
  }
  return remove_common_groups();
}

}  // namespace fermata::pod
