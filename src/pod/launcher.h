// Starting one container in a sandbox that stands: volumes, root, cgroup, spec, plan, and the monitor's
// launch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pod/container_spec.h"
#include "pod/engine_impl.h"
#include "pod/foreign.h"
#include "pod/foreign_spec.h"
#include "pod/sandbox.h"
#include "pod/start_actions.h"
#include "runtime/launch_plan.h"

namespace fermata::pod {

class Launcher {
 public:
  // The caller holds the pod's lock; the container does not run. `pod_is_new`: its rows are not written yet.
  Launcher(Engine::Impl& engine, PodRow& pod, LivePod& live, ContainerRow& container)
      : engine_(engine), pod_(pod), live_(live), container_(container) {}

  // Opens and computes all that the launch needs. Nothing runs yet, and no row is written.
  Result<void> prepare(const StreamSelection& streams);
  // After the rows were written: the process. Detached without streams (nullptr).
  SessionResult launch(const StreamSelection& streams);

 private:
  Result<void> resolve_process();
  Result<void> place_log(const std::string& directory);
  Result<void> open_root(oci::RuntimeSpec& spec);
  Result<void> add_namespaces(oci::RuntimeSpec& spec, PodNamespaces held);
  Result<void> add_ipc(oci::RuntimeSpec& spec, UniqueFd pod_ipc, const UniqueFd& pod_mounts);
  Result<void> add_mounts(oci::RuntimeSpec& spec);
  Result<std::vector<AllowedDevice>> collect_devices(std::vector<oci::Device>* nodes);
  // launch_edits.cc
  Result<void> add_edited_nodes(std::vector<oci::Device>* nodes, std::vector<AllowedDevice>* allowed);
  Result<void> add_edited_mounts(std::vector<oci::Mount>* mounts);
  // What is done while init waits, and the plan that lets it wait.
  Result<void> plan_start(const oci::RuntimeSpec& spec);
  Result<void> open_group(oci::RuntimeSpec& spec);
  Result<void> make_group(const std::vector<AllowedDevice>& devices);
  void warn_of_sysctls();
  Result<void> warn_of_limits();
  // launch_foreign.cc: by another OCI runtime.
  Result<void> prepare_foreign(const oci::RuntimeSpec& spec, const std::vector<AllowedDevice>& devices);
  Result<void> write_bundle(const ForeignContainer& foreign, oci::RuntimeSpec spec,
                            const std::vector<AllowedDevice>& devices);
  SessionResult launch_foreign(LaunchRequest request, const StreamSelection& streams);
  // launch_mapped.cc
  void map_users(oci::RuntimeSpec& spec) const;
  Result<void> open_mapped_root(oci::RuntimeSpec& spec, const std::string& directory);
  LayerView view(std::vector<std::string> names) const;
  Result<void> add_device(const DeviceRequest& request, const oci::Device& device,
                          std::vector<oci::Device>* nodes);

  Result<UniqueFd> open_image_root();
  std::vector<std::string> layer_paths(bool with_upper) const;
  void join(oci::RuntimeSpec& spec, oci::Namespace::Type type, UniqueFd fd);
  int keep(UniqueFd fd);
  Result<void> end_process();
  // Once, however often it starts.
  void warn(std::string warning);
  bool user_mounts(std::string_view destination) const;

  Engine::Impl& engine_;
  PodRow& pod_;
  LivePod& live_;
  ContainerRow& container_;

  std::vector<UniqueFd> kept_;  // what spec and plan borrow
  std::vector<oci::Mount> shm_, device_mounts_;
  int user_namespace_ = -1;  // of kept_; -1: the host's
  runtime::LaunchPlan plan_;
  std::unique_ptr<StartActions> actions_;  // nullptr: none are wanted
  UniqueFd init_program_, directory_, oom_events_;
  kernel::Cgroup::Handles group_;
  ForeignGroup foreign_group_;
  ConsoleSocket console_;
};

// Of pipes that a process of `user` gets: the host's id. nullopt: the pod has no user namespace.
std::optional<std::uint32_t> stream_owner(const PodConfig& pod, const oci::User& user);

// What a monitor's failed launch means to the user.
StartFailure launch_failure(const runtime::LaunchPlan& plan, const std::vector<std::string>& args,
                            const monitor::Reply& reply);

// Plan and descriptors to the monitor. The connection becomes the session when there are streams; `live`
// serves on otherwise.
SessionResult launch_process(LivePod& live, const runtime::LaunchPlan& plan,
                             const std::vector<std::string>& args, LaunchRequest request,
                             const StreamSelection& streams);

}  // namespace fermata::pod
