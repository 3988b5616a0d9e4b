// The engine's own state and the steps that its parts share. Internal to pod/; one file per group of methods.
//
// Order of locks: a pod's lock, then short transactions; two pods' locks are never held together. Whoever
// makes a sandbox holds <run_root>/lock shared until the pod is `ready`, so that nobody removes the cgroup of
// monitors under it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_lock.h"
#include "image/images.h"
#include "kernel/cgroup.h"
#include "network/network.h"
#include "pod/engine.h"
#include "pod/monitor_client.h"
#include "pod/store.h"

namespace fermata::pod {

// A pod's monitor that answers, and what it has.
struct LivePod {
  MonitorClient client;
  std::vector<monitor::Process> processes;

  // The container's first process; nullptr if it was not launched in this run of the pod.
  const monitor::Process* find(const std::string& container) const;
  bool runs(const std::string& container) const;
  bool anything_runs() const;
  Result<void> refresh();
};

// How a container stands at this moment: the row, corrected by its monitor or its exit file.
struct Present {
  ContainerState state = ContainerState::created;
  int pid = 0;
};

// Below the run root: where a container's root file system is, in its own mount namespace, while it is made.
inline constexpr char kRootMountPoint[] = "/rootfs";

using SessionResult = tl::expected<std::unique_ptr<Session>, StartFailure>;
using StartResult = tl::expected<Started, StartFailure>;

class Engine::Impl {
 public:
  static Result<std::unique_ptr<Impl>> open(EngineOptions options);

  // create.cc
  // `unasked`: as the infra container of a pod that was asked for, not of itself.
  Result<std::string> create(ContainerConfig config, bool unasked = false);
  // image_mount.cc. As a detached mount; `user_namespace`: borrowed, -1: none.
  Result<UniqueFd> clone_image(const VolumeMount& mount, int user_namespace);
  Result<void> resolve_image_mounts(ContainerConfig& config);
  // start.cc
  // `rebuild`: also when the container whose network it joins does not run.
  StartResult start(const std::string& reference, const StreamSelection& streams, bool rebuild = false);
  Result<std::unique_ptr<Session>> attach(const std::string& reference, const StreamSelection& streams);
  // exec.cc
  SessionResult exec(const std::string& reference, const ExecConfig& config, const StreamSelection& streams);
  // stop.cc
  Result<void> stop(const std::string& reference, std::optional<int> timeout, const std::string& signal);
  Result<void> kill(const std::string& reference, const std::string& signal);
  Result<int> wait(const std::string& reference);
  Result<void> resize(const std::string& reference, std::uint32_t rows, std::uint32_t columns);
  // pause.cc
  Result<void> set_paused(const std::string& reference, bool paused);
  Result<bool> is_paused(const PodRow& pod, const std::string& container);
  Result<void> thaw(const PodRow& pod, const std::string& container);
  // Of its processes; it need not exist.
  Result<kernel::Cgroup> group_of(const PodRow& pod, const std::string& container);
  // checkpoint.cc
  Result<void> checkpoint(const std::string& reference, const CheckpointRequest& request);
  Result<void> undo_checkpoint(const Intent& intent);
  // update.cc
  Result<std::string> update(const std::string& reference, const Resources& changes);
  Result<std::string> update_locked(ContainerRow& container, const Resources& changes);
  // stats.cc
  Result<ContainerStats> stats(const std::string& reference);
  Result<ContainerStats> group_stats(const std::string& cgroup, int network_pid, kernel::StatsDepth depth);
  // restart.cc
  Result<void> restart(const std::string& reference, std::optional<int> timeout, const std::string& signal);
  // A restart of a --rm container is over, or its process is gone: what does not run now is removed.
  Result<void> finish_restart(const std::string& id);
  // By a command that is at work: what has ended is not to be removed.
  Result<bool> being_restarted(const std::string& id);
  // remove.cc
  Result<void> remove(const std::string& reference, const RemoveOptions& options);
  Result<void> remove_settled(const ContainerRow& container, bool volumes);
  // query.cc
  Result<ContainerInfo> inspect(const std::string& reference);
  Result<std::vector<ContainerInfo>> list(const ContainerFilter& filter);
  Result<PodInfo> inspect_pod(const std::string& reference);
  Result<std::vector<ContainerInfo>> members(const std::string& pod);
  Result<std::vector<PodRevision>> pod_revisions();
  Result<PodObservation> observe_pod(const std::string& reference);
  // pods.cc
  Result<std::string> run_pod(ContainerConfig infra);
  Result<void> stop_pod(const std::string& reference);
  Result<void> remove_pod(const std::string& reference);
  Result<void> reopen_log(const std::string& reference);
  Result<void> attach_data(const std::string& reference, const std::string& attachment);
  // Of a run_pod() that was killed: nobody knows of the pod.
  Result<void> undo_run(const Intent& intent);
  // logs.cc
  Result<void> logs(const std::string& reference, const LogOptions& options,
                    const std::function<bool(int, std::string_view)>& line);
  // info.cc
  Result<EngineInfo> info();
  // events.cc
  Result<void> handle_event(const std::string& pod);
  Result<void> wind_down(std::chrono::nanoseconds linger);
  // reconcile.cc
  Result<void> reconcile();
  Result<void> undo_start(const Intent& intent);
  Result<void> finish_removal(const Intent& intent);

  image::Images& images() { return *images_; }
  Store& store() { return *store_; }

  // engine.cc
  Result<ContainerRow> find(const std::string& reference);
  Result<PodRow> find_pod(const std::string& reference);
  Result<network::Network*> network();
  Result<const kernel::CgroupMounts*> cgroup_mounts();
  Result<FileLock> lock_pod(const std::string& pod);
  Result<std::optional<FileLock>> try_lock_pod(const std::string& pod);
  std::string run_directory(const std::string& pod) const { return options_.run_root + "/pods/" + pod; }
  std::string container_directory(const std::string& id) const { return options_.root + "/containers/" + id; }
  // Of its present run, whichever driver made it.
  std::string pod_cgroup(const PodRow& pod) const;
  std::string container_cgroup(const PodRow& pod, const std::string& container) const;
  // Kills what is left of a group, if there is one.
  Result<void> kill_group(const std::string& path);

  // live.cc. nullopt: no monitor answers.
  Result<std::optional<LivePod>> reach(const std::string& pod);
  // Corrects row.state and row.runtime; `live` nullptr: there is no monitor.
  Present present(ContainerRow& container, const LivePod* live) const;

  // sandbox.cc. The caller holds the pod's lock. Makes all of it but the rows: pod.runtime is filled in.
  Result<LivePod> make_sandbox(PodRow& pod);
  Result<std::string> start_monitor(const PodRow& pod);
  // Ends the monitor, gives network and cgroups back, removes the run directory. Repeatable. False: a process
  // was started meanwhile, nothing was done.
  Result<bool> destroy_sandbox(const PodRow& pod, std::optional<LivePod> live);
  // cni_network.cc. Fills in pod.runtime.network and .ports.
  Result<void> attach_cni(PodRow& pod, int network_namespace);
  // Repeatable: success once the plugins have taken away all that they made.
  Result<void> detach_cni(const PodRow& pod);
  // After the last pod: our empty groups. A resident process leaves them to wind_down(): the next pod would
  // only make them again.
  Result<void> remove_common_groups();
  Result<void> remove_common_groups_now();

  // settle.cc. In a resident process: claim_ends() before `id` ("": all of the pod) is told to end,
  // ends_settled() after settle().
  void claim_ends(LivePod& live, const std::string& id);
  void ends_settled(LivePod& live);
  // Of a container that has ended: what another runtime keeps of it.
  Result<void> forget_foreign(const ContainerRow& container);
  // Once after each end of a container: start_actions.h.
  Result<void> act_on_end(ContainerRow& container);
  // Under the pod's lock: records exits; ends the pod when nothing runs in it any more, or when
  // its infra process has ended; removes --rm containers that have ended.
  Result<void> settle_locked(const std::string& pod);
  Result<void> settle(const std::string& pod);
  // The same, unless somebody else works on the pod.
  Result<void> settle_if_idle(const std::string& pod);

  const EngineOptions& options() const { return options_; }
  const std::string& cgroup_parent() const { return cgroup_parent_; }

 private:
  friend class Launcher;
  EngineOptions options_;
  std::string cgroup_parent_, bridge_;
  std::unique_ptr<state::Database> database_;  // the others keep a reference to it
  std::optional<Store> store_;
  std::optional<image::Images> images_;
  std::optional<network::Network> network_;
  std::optional<kernel::CgroupMounts> cgroup_mounts_;
};

// Namespace sharing, in sharing.cc.
// Whether others may join its IPC namespace: it says so, or it is an infra container that says nothing.
bool ipc_is_shareable(const ContainerConfig& config, bool infra);

}  // namespace fermata::pod
