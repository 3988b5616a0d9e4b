// Pods as such: made, stopped and removed as a whole, for a face that knows pods (CRI).
#include <fmt/format.h>

#include <csignal>

#include "pod/engine_impl.h"

namespace fermata::pod {
namespace {

// Served by the engine itself, run as 65535 as the pod's founder asks for nothing else.
constexpr const char* kBuiltinPause = "registry.k8s.io/pause:3.10";

bool is_gone(const Error& error) { return error.kind() == ErrorKind::not_found; }

Result<void> end_process(LivePod& live, const std::string& id) {
  const auto ended = live.client.wait_killed(id);
  if (ended || monitor_gone(ended.error()) || ended.error().error_number() == ESRCH) return {};
  return tl::unexpected(ended.error());
}

}  // namespace

Result<std::string> Engine::Impl::run_pod(ContainerConfig infra) {
  infra.infra = true;
  if (infra.image.empty()) infra.image = kBuiltinPause;
  TRY(const std::string id, create(std::move(infra), true));
  // From here to its end a crash of this process leaves a pod that nobody was told of. What was made just now
  // and has no intent yet is as good as one that the caller made and forgot: it is listed, and can be
  // removed.
  TRY(const std::int64_t intent, store().add_intent("run", id, false));
  auto started = start(id, {});
  if (!started) {
    auto removed = remove(id, {.force = true, .volumes = true});
    if (removed || is_gone(removed.error())) TRY(store().remove_intent(intent));
    return tl::unexpected(std::move(started.error().error));
  }
  TRY(store().remove_intent(intent));
  TRY(const auto row, store().container(id));
  return row.pod;
}

Result<void> Engine::Impl::undo_run(const Intent& intent) {
  const auto container = store().container(intent.object);
  if (!container) return is_gone(container.error()) ? Result<void>() : tl::unexpected(container.error());
  return remove_pod(container->pod);
}

Result<void> Engine::Impl::stop_pod(const std::string& reference) {
  TRY(const PodRow pod, find_pod(reference));
  TRY(auto live, reach(pod.id));
  if (live && pod.ready) {
    claim_ends(*live, "");
    // The members first, as they would end with it anyway; each is asked for by its group, so that nothing
    // forks its way out.
    TRY(kill_group(pod_cgroup(pod) + "/ctrs"));
    for (const auto& process : live->processes)
      if (process.exit_code < 0 && process.id != pod.config.infra) TRY(end_process(*live, process.id));
    if (live->runs(pod.config.infra)) {
      const auto sent = live->client.signal(pod.config.infra, SIGKILL);
      if (!sent && sent.error().error_number() != ESRCH && !monitor_gone(sent.error())) return sent;
      TRY(end_process(*live, pod.config.infra));
    }
  }
  TRY(settle(pod.id));
  if (live) ends_settled(*live);
  // Where a plugin has failed, its owner has to hear of it, and comes again.
  return pod.config.net == "cni" ? detach_cni(pod) : Result<void>();
}

Result<void> Engine::Impl::remove_pod(const std::string& reference) {
  TRY(const PodRow pod, find_pod(reference));
  TRY(stop_pod(pod.id));
  {
    TRY(const auto lock, lock_pod(pod.id));
    TRY(settle_locked(pod.id));
    TRY(const auto members, store().members(pod.id));
    // The infra container goes last: until then what is left is a pod.
    for (const bool infra : {false, true})
      for (const ContainerRow& member : members)
        if ((member.id == pod.config.infra) == infra) TRY(remove_settled(member, true));
  }
  return remove_common_groups();
}

Result<void> Engine::Impl::attach_data(const std::string& reference, const std::string& attachment) {
  TRY(const auto found, find(reference));
  TRY(const auto lock, lock_pod(found.pod));
  // It may have changed while we waited.
  TRY(auto container, store().container(found.id));
  container.config.attachment = attachment;
  return store().update_config(container);
}

Result<void> Engine::Impl::reopen_log(const std::string& reference) {
  TRY(const auto container, find(reference));
  TRY(auto live, reach(container.pod));
  if (!live || !live->runs(container.id))
    return fail(ErrorKind::conflict, "container {} is not running", container.id);
  return live->client.reopen_log(container.id);
}

}  // namespace fermata::pod
