// `inspect` and `ps`: rows, corrected by what the monitors say. Pods that are found at rest are ended on the
// way.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/id.h"
#include "base/text.h"
#include "kernel/pidfd.h"
#include "oci/reference.h"
#include "pod/engine_impl.h"
#include "pod/list_filter.h"
#include "pod/volumes.h"

namespace fermata::pod {
namespace {

// As applied; before the first start, as they will be.
std::vector<std::pair<std::string, VolumeMount>> mounts_of(Engine::Impl& engine,
                                                           const ContainerRuntime& runtime) {
  if (!runtime.mounts.empty()) return runtime.mounts;
  std::vector<std::pair<std::string, VolumeMount>> mounts;
  for (const VolumeMount& mount : runtime.resolved.mounts) {
    const bool volume = mount.kind == VolumeMount::Kind::volume;
    mounts.emplace_back(
        volume ? volume_directory(engine.options().root, mount.source) + "/_data" : mount.source, mount);
  }
  return mounts;
}

Result<ContainerInfo> describe(Engine::Impl& engine, const ContainerRow& row, const PodRow& pod,
                               bool pod_lives, const Present& now) {
  const ContainerRuntime& runtime = row.runtime;
  const bool running = now.state == ContainerState::running;
  ContainerInfo info{.id = row.id,
                     .name = row.name,
                     .owner = row.owner,
                     .pod_id = row.pod,
                     .config = row.config,
                     .image_id = row.config.image_id,
                     .args = runtime.resolved.args,
                     .state = now.state,
                     .pid = now.pid,
                     .exit_code = running ? 0 : runtime.exit_code,
                     .oom_killed = runtime.oom_killed,
                     .error = running ? "" : runtime.error,
                     .created = row.created,
                     .started = runtime.started,
                     .finished = running ? 0 : runtime.finished,
                     .infra = pod.config.infra == row.id,
                     .exposed_ports = runtime.resolved.exposed_ports,
                     .mounts = mounts_of(engine, runtime),
                     .warnings = runtime.warnings,
                     .stop_signal = runtime.resolved.stop_signal,
                     .user = runtime.user,
                     .restart_count = runtime.restart_count,
                     .cgroup = engine.container_cgroup(pod, row.id)};
  if (running) {
    TRY(info.paused, engine.is_paused(pod, row.id));
  }
  // Ports and addresses are shown where they were asked for, as docker does: a joined container has none of
  // its own.
  const bool own_network = row.config.net.kind == "bridge";
  if (running && own_network) info.network = pod.runtime.network;
  // Its pod, which others have joined, publishes them without it too.
  if (pod_lives && own_network) info.ports = pod.runtime.ports;
  if (running)
    info.warnings.insert(info.warnings.end(), pod.runtime.warnings.begin(), pod.runtime.warnings.end());
  if (row.config.log_driver != "none")
    info.log_path = row.config.log_path.empty() ? engine.container_directory(row.id) + "/" + monitor::kLogFile
                                                : row.config.log_path;
  if (!runtime.resolved.pause) {
    info.upper_path = engine.container_directory(row.id) + "/upper";
    info.work_path = engine.container_directory(row.id) + "/work";
  }
  if (running && !runtime.resolved.pause) {
    const std::string directory = engine.run_directory(row.pod);
    info.resolv_conf_path = directory + "/resolv.conf";
    info.hosts_path = directory + "/hosts";
    info.hostname_path = directory + "/hostname";
  }
  return info;
}

// Pods and their monitors, each asked once.
class Pods {
 public:
  explicit Pods(Engine::Impl& engine) : engine_(engine) {}

  struct Known {
    PodRow row;
    std::optional<LivePod> live;
  };
  Result<Known*> get(const std::string& id) {
    if (const auto found = known_.find(id); found != known_.end()) return &found->second;
    TRY(auto row, engine_.store().pod(id));
    Known known{.row = std::move(row), .live = {}};
    // No monitor answers for a pod that is not ready, save a half-made one, which has no container to show.
    if (known.row.ready) {
      TRY(known.live, engine_.reach(id));
    }
    return &known_.emplace(id, std::move(known)).first->second;
  }
  void forget() { known_.clear(); }
  // Ready pods in which nothing runs.
  std::vector<std::string> at_rest() const {
    std::vector<std::string> ids;
    for (const auto& [id, known] : known_)
      if (known.row.ready && (!known.live || !known.live->anything_runs())) ids.push_back(id);
    return ids;
  }

 private:
  Engine::Impl& engine_;
  std::map<std::string, Known> known_;
};

// One that a face made as such.
Result<PodRow> find_pod_as_such(Engine::Impl& engine, const std::string& reference) {
  TRY(PodRow row, engine.find_pod(reference));
  if (row.config.infra.empty()) return fail(ErrorKind::not_found, "No such pod: {}", reference);
  return row;
}

// The pod, brought to rest if nothing runs in it any more. `pods` holds no other.
Result<Pods::Known*> settled(Engine::Impl& engine, Pods& pods, const std::string& id) {
  TRY(auto* known, pods.get(id));
  if (pods.at_rest().empty()) return known;
  TRY(engine.settle_if_idle(id));
  pods.forget();
  return pods.get(id);
}

Result<PodInfo> describe_pod(Engine::Impl& engine, const Pods::Known& known) {
  const PodRow& pod = known.row;
  TRY(auto infra, engine.store().container(pod.config.infra));
  const Present now = engine.present(infra, known.live ? &*known.live : nullptr);
  PodInfo info;
  info.id = pod.id;
  TRY(info.infra, describe(engine, infra, pod, known.live.has_value(), now));
  info.ready = now.state == ContainerState::running;
  if (!info.ready) return info;
  info.network = pod.runtime.network;
  info.ports = pod.runtime.ports;
  info.cgroup = engine.pod_cgroup(pod);
  return info;
}

// Newest first, without the infra container. `passing`: one was being started, if that is to be known.
Result<std::vector<ContainerInfo>> describe_members(Engine::Impl& engine, const Pods::Known& known,
                                                    bool* passing) {
  TRY(auto rows, engine.store().members(known.row.id));
  std::vector<ContainerInfo> found;
  for (auto member = rows.rbegin(); member != rows.rend(); ++member) {
    if (member->id == known.row.config.infra) continue;
    const bool launched = member->state == ContainerState::running;
    const Present now = engine.present(*member, known.live ? &*known.live : nullptr);
    if (passing != nullptr && launched && now.state == ContainerState::created) *passing = true;
    TRY(ContainerInfo info, describe(engine, *member, known.row, known.live.has_value(), now));
    found.push_back(std::move(info));
  }
  return found;
}

std::set<std::string> running_in(const LivePod& live) {
  std::set<std::string> ids;
  for (const auto& process : live.processes)
    if (process.exit_code < 0 && (process.flags & monitor::kExec) == 0) ids.insert(process.id);
  return ids;
}

// A process that the monitor calls running after its descriptor was opened is the one that was opened: the
// monitor has not waited for it. An Error: its monitor is going.
Result<void> watch(LivePod& live, PodObservation& seen) {
  TRY(UniqueFd monitor, live.client.open_pidfd());
  seen.ends.push_back(std::move(monitor));
  const auto running = running_in(live);
  for (const auto& process : live.processes) {
    if (!running.contains(process.id)) continue;
    UniqueFd pidfd = kernel::open_pidfd(process.pid);
    if (!pidfd && errno != ESRCH) return fail(errno, "open process {}", process.pid);
    seen.passing = seen.passing || !pidfd;
    if (pidfd) seen.ends.push_back(std::move(pidfd));
  }
  TRY(live.refresh());
  seen.passing = seen.passing || running_in(live) != running;
  return {};
}

}  // namespace

Result<ContainerInfo> Engine::Impl::inspect(const std::string& reference) {
  TRY(auto container, find(reference));
  Pods pods(*this);
  TRY(auto* pod, pods.get(container.pod));
  if (!pods.at_rest().empty()) {
    TRY(settle_if_idle(container.pod));
    // With --rm it may be gone now.
    TRY(container, store().container(container.id));
    TRY(pod->row, store().pod(container.pod));
    if (!pod->row.ready) pod->live.reset();
  }
  const Present now = present(container, pod->live ? &*pod->live : nullptr);
  return describe(*this, container, pod->row, pod->live.has_value(), now);
}

Result<std::vector<ContainerInfo>> Engine::Impl::list(const ContainerFilter& filter) {
  TRY(const auto conditions,
      ListFilter::parse(filter, [this](const std::string& reference) -> Result<std::int64_t> {
        TRY(const auto container, find(reference));
        return container.created;
      }));
  const std::string owner = options_.see_all_owners ? "" : options_.owner;
  TRY(auto rows, store().containers(owner));
  Pods pods(*this);
  for (const ContainerRow& row : rows) {
    const auto pod = pods.get(row.pod);
    // Another command may have removed it since the rows were read.
    if (!pod && pod.error().kind() != ErrorKind::not_found) return tl::unexpected(pod.error());
  }
  if (const auto resting = pods.at_rest(); !resting.empty()) {
    for (const std::string& id : resting) TRY(settle_if_idle(id));
    TRY(rows, store().containers(owner));
    pods.forget();
  }
  // Left when the last event command was killed.
  TRY(remove_common_groups());
  std::vector<ContainerInfo> found;
  for (ContainerRow& row : rows) {
    auto pod = pods.get(row.pod);
    if (!pod) continue;  // removed while we looked
    const Present now = present(row, (*pod)->live ? &*(*pod)->live : nullptr);
    if (!filter.infra && (*pod)->row.config.infra_made && (*pod)->row.config.infra == row.id) continue;
    TRY(ContainerInfo info, describe(*this, row, (*pod)->row, (*pod)->live.has_value(), now));
    if (conditions.matches(info)) found.push_back(std::move(info));
    if (filter.last && found.size() == *filter.last) break;
  }
  return found;
}

Result<PodInfo> Engine::Impl::inspect_pod(const std::string& reference) {
  TRY(const PodRow row, find_pod_as_such(*this, reference));
  Pods pods(*this);
  TRY(const auto* known, settled(*this, pods, row.id));
  return describe_pod(*this, *known);
}

Result<std::vector<ContainerInfo>> Engine::Impl::members(const std::string& reference) {
  TRY(const PodRow row, find_pod(reference));
  Pods pods(*this);
  TRY(const auto* pod, pods.get(row.id));
  return describe_members(*this, *pod, nullptr);
}

Result<std::vector<PodRevision>> Engine::Impl::pod_revisions() {
  return store().pod_revisions(options_.see_all_owners ? "" : options_.owner);
}

Result<PodObservation> Engine::Impl::observe_pod(const std::string& reference) {
  TRY(const PodRow row, find_pod_as_such(*this, reference));
  PodObservation seen;
  TRY(seen.revision, store().pod_revision(row.id));
  Pods pods(*this);
  TRY(auto* known, settled(*this, pods, row.id));
  if (known->live)
    if (const auto watched = watch(*known->live, seen); !watched) {
      if (!monitor_gone(watched.error())) return tl::unexpected(watched.error());
      seen.passing = true;
    }
  TRY(seen.pod, describe_pod(*this, *known));
  seen.passing = seen.passing || seen.pod.ready != known->row.ready;
  TRY(seen.members, describe_members(*this, *known, &seen.passing));
  return seen;
}

}  // namespace fermata::pod
