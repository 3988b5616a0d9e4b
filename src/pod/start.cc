// Starting a container: its sandbox if there is none, the infra container before it, then the process.
#include <fmt/format.h>

#include "base/files.h"
#include "base/id.h"
#include "pod/engine_impl.h"
#include "pod/launcher.h"
#include "pod/sharing.h"
#include "pod/start_actions.h"

namespace fermata::pod {
namespace {

constexpr int kStartErrorCode = 128;

tl::unexpected<StartFailure> start_failure(Error error, int exit_code = 125) {
  return tl::unexpected<StartFailure>(StartFailure{.exit_code = exit_code, .error = std::move(error)});
}

// Of a pod that its members do not bring back.
Result<void> pod_has_ended(const PodRow& pod) {
  return fail(ErrorKind::conflict, "pod '{}' is not ready: its infra container has ended", pod.name);
}

// One start under the pod's lock.
class Start {
 public:
  Start(Engine::Impl& engine, state::Database& database, bool rebuild)
      : engine_(engine), database_(database), rebuild_(rebuild) {}

  StartResult run(ContainerRow& container, const StreamSelection& streams);

 private:
  // A sandbox that is whole; makes one if needed.
  Result<void> have_sandbox(const ContainerRow& container);
  Result<void> have_infra(const ContainerRow& container);
  SessionResult launch(ContainerRow& container, const StreamSelection& streams);
  Result<void> record(const ContainerRow& container);
  // Puts back what a failed start has made.
  void undo(ContainerRow& container, const Error& error, int exit_code);

  Engine::Impl& engine_;
  state::Database& database_;
  bool rebuild_;
  PodRow pod_;
  std::optional<LivePod> live_;
  std::optional<FileLock> groups_lock_;  // held while a sandbox is being made
  std::int64_t intent_ = 0;
  ContainerRow before_;  // the one being launched, as it was
};

Result<void> Start::have_sandbox(const ContainerRow& container) {
  TRY(live_, engine_.reach(container.pod));
  TRY(pod_, engine_.store().pod(container.pod));
  if (live_ && pod_.ready) return {};
  if (!container.config.pod.empty()) return pod_has_ended(pod_);
  if (live_ || pod_.ready) {
    // Half made by a killed command, or its monitor is gone: nothing of it can be used.
    TRY(engine_.destroy_sandbox(pod_, std::move(live_)));
    live_.reset();
    TRY(auto members, engine_.store().members(pod_.id));
    TRY(auto transaction, state::Transaction::begin(database_));
    for (ContainerRow& member : members) {
      engine_.present(member, nullptr);
      TRY(engine_.store().update_state(member));
    }
    pod_.ready = false;
    pod_.runtime = {};
    TRY(engine_.store().update(pod_));
    TRY(transaction.commit());
  }
  // An ordinary target must run for the pod to exist; an infra container is started for its members. One that
  // was removed cannot come back, and the pod knows without it how it is made.
  if (container.config.net.kind == "container" && pod_.config.infra.empty() && !rebuild_) {
    const auto target = engine_.store().container(container.config.net.target);
    if (target)
      return fail(ErrorKind::conflict, "cannot join network of a non running container: {}", target->name);
    if (target.error().kind() != ErrorKind::not_found) return tl::unexpected(target.error());
  }
  TRY(groups_lock_, FileLock::try_acquire(engine_.options().run_root + "/lock", FileLock::Mode::shared));
  if (!groups_lock_) {
    TRY(groups_lock_, FileLock::acquire(engine_.options().run_root + "/lock", FileLock::Mode::shared));
  }
  TRY(intent_, engine_.store().add_intent("start", pod_.id, false));
  TRY(live_, engine_.make_sandbox(pod_));
  return {};
}

Result<void> Start::record(const ContainerRow& container) {
  TRY(auto transaction, state::Transaction::begin(database_));
  if (!pod_.ready) {
    pod_.ready = true;
    TRY(engine_.store().update(pod_));
    TRY(engine_.store().remove_intent(intent_));
  }
  TRY(engine_.store().update_state(container));
  TRY(transaction.commit());
  intent_ = 0;
  groups_lock_.reset();
  return {};
}

SessionResult Start::launch(ContainerRow& container, const StreamSelection& streams) {
  ContainerRuntime& runtime = container.runtime;
  run_stop_actions(engine_, container);  // of its last run, if that has only just ended
  before_ = container;
  if (auto joined = Sharing(engine_).check_targets(container, pod_); !joined)
    return start_failure(std::move(joined.error()));
  if (live_->find(container.id) != nullptr)
    if (auto forgotten = live_->client.forget(container.id); !forgotten)
      return start_failure(std::move(forgotten.error()));
  // Exits are counted; the first start is not a restart.
  if (container.state == ContainerState::exited && runtime.started != 0) ++runtime.restart_count;
  Launcher launcher(engine_, pod_, *live_, container);
  if (auto prepared = launcher.prepare(streams); !prepared) return start_failure(std::move(prepared.error()));
  container.state = ContainerState::running;
  runtime.started = now_ns();
  runtime.finished = 0;
  runtime.exit_code = 0;
  runtime.oom_killed = false;
  runtime.error.clear();
  // Another runtime executes the hooks itself.
  runtime.stop_actions = !is_foreign(container) && wants_stop_actions(container.config.edits);
  if (auto recorded = record(container); !recorded) return start_failure(std::move(recorded.error()));
  return launcher.launch(streams);
}

Result<void> Start::have_infra(const ContainerRow& container) {
  const std::string& id = pod_.config.infra;
  if (id.empty() || live_->runs(id)) return {};
  // Stopped, and not settled yet: it must not come back for a member that is started at the same time.
  if (!container.config.pod.empty()) return pod_has_ended(pod_);
  TRY(auto infra, engine_.store().container(id));
  engine_.present(infra, &*live_);
  auto started = launch(infra, {});
  if (!started) {
    undo(infra, started.error().error, started.error().exit_code);
    return fail_with(std::move(started.error().error),
                     fmt::format("start the infra container '{}'", infra.name));
  }
  return live_->refresh();
}

void Start::undo(ContainerRow& container, const Error& error, int exit_code) {
  run_stop_actions(engine_, container);
  // As docker: who never ran stays `created`; who has keeps its times.
  container.state =
      before_.state == ContainerState::exited ? ContainerState::exited : ContainerState::created;
  container.runtime.started = before_.runtime.started;
  container.runtime.finished = before_.runtime.finished;
  container.runtime.restart_count = before_.runtime.restart_count;
  container.runtime.error = error.message();
  container.runtime.exit_code = exit_code;
  if (!container.config.pod.empty()) {
    // Kubernetes' kubelet asks for a container that has ended, with the code that stands for it.
    container.state = ContainerState::exited;
    container.runtime.exit_code = kStartErrorCode;
    container.runtime.started = container.runtime.finished = now_ns();
  }
  // What fails here is found again by the next command: the intent is still there, or the pod is at rest.
  (void)engine_.store().update_state(container);
  if (intent_ != 0) {
    auto live = engine_.reach(pod_.id);
    pod_.ready = false;
    if (live && engine_.destroy_sandbox(pod_, std::move(*live))) (void)engine_.store().remove_intent(intent_);
    intent_ = 0;
    groups_lock_.reset();
  } else {
    (void)engine_.settle_locked(pod_.id);
  }
}

StartResult Start::run(ContainerRow& container, const StreamSelection& streams) {
  const ContainerRow original = container;
  auto sandbox = have_sandbox(container);
  if (sandbox && container.id != pod_.config.infra) sandbox = have_infra(container);
  if (!sandbox) {
    before_ = original;
    undo(container, sandbox.error(), 125);
    return start_failure(std::move(sandbox.error()));
  }
  engine_.present(container, &*live_);
  if (container.state == ContainerState::running) {
    const auto paused = engine_.is_paused(pod_, container.id);
    if (!paused) return start_failure(paused.error());
    if (*paused)
      return start_failure(
          Error(ErrorKind::conflict, 0, "cannot start a paused container, try unpause instead"));
    if (!streams.any()) return Started();
    auto session = engine_.attach(container.id, streams);
    if (!session) return start_failure(std::move(session.error()));
    return Started{.session = std::move(*session), .warnings = {}};
  }
  auto session = launch(container, streams);
  if (!session) {
    undo(container, session.error().error, session.error().exit_code);
    return tl::unexpected(std::move(session.error()));
  }
  Started started{.session = std::move(*session), .warnings = container.runtime.warnings};
  started.warnings.insert(started.warnings.end(), pod_.runtime.warnings.begin(), pod_.runtime.warnings.end());
  return started;
}

}  // namespace

StartResult Engine::Impl::start(const std::string& reference, const StreamSelection& streams, bool rebuild) {
  auto container = find(reference);
  if (!container) return start_failure(std::move(container.error()));
  StartResult result = Started();
  {
    auto lock = lock_pod(container->pod);
    if (!lock) return start_failure(std::move(lock.error()));
    // It may have changed while we waited.
    container = store().container(container->id);
    if (!container) return start_failure(std::move(container.error()));
    if (container->state == ContainerState::removing)
      return start_failure(
          Error(ErrorKind::conflict, 0,
                fmt::format("container {} is being removed: run 'rm' again", container->name)));
    result = Start(*this, *database_, rebuild).run(*container, streams);
    // One that was running already has only not been attached to.
    if (!result && container->config.auto_remove && container->state != ContainerState::running)
      (void)remove_settled(*container, true);
  }
  if (!result) {
    // No event of a monitor may follow. What fails here is left for the next command.
    (void)remove_common_groups();
    if (auto net = network()) (void)(*net)->take_down();
  }
  return result;
}

Result<std::unique_ptr<Session>> Engine::Impl::attach(const std::string& reference,
                                                      const StreamSelection& streams) {
  TRY(const auto container, find(reference));
  TRY(auto live, reach(container.pod));
  if (!live || !live->runs(container.id))
    return fail(ErrorKind::conflict, "You cannot attach to a stopped container, start it first");
  TRY(const PodRow pod, store().pod(container.pod));
  TRY(const bool paused, is_paused(pod, container.id));
  if (paused) return fail(ErrorKind::conflict, "You cannot attach to a paused container, unpause it first");
  return std::move(live->client).attach(container.id, streams);
}

}  // namespace fermata::pod
