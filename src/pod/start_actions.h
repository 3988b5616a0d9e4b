// What the edits of a container want done by the engine around its start and after its end: hooks, network
// devices of the host, a group of resctrl. config.md ("POSIX-platform Hooks") and config-linux.md of the OCI
// runtime specification.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "bundle/network_devices.h"
#include "oci/runtime_spec.h"
#include "pod/engine_impl.h"
#include "pod/rendezvous.h"
#include "runtime/launch_plan.h"

namespace fermata::pod {

bool wants_actions(const cdi::Edits& edits);
// After its end, which has to be told then.
bool wants_stop_actions(const cdi::Edits& edits);

// One start. The caller holds the pod's lock, and keeps this until the process runs: what a start that fails
// has moved comes back with its end.
class StartActions {
 public:
  // nullptr: the container wants none.
  static Result<std::unique_ptr<StartActions>> make(Engine::Impl& engine, ContainerRow& container);

  // Before the plan is computed: it is to wait where we act.
  runtime::StartOptions start_options() const;
  // After `spec` is whole; borrows its descriptors. Writes the bundle's config.json.
  Result<void> prepare(oci::RuntimeSpec spec, const std::string& cgroup);
  Rendezvous& rendezvous() { return *rendezvous_; }
  // The process runs: poststart hooks. A failure is one of the start.
  Result<void> finish();

 private:
  StartActions(Engine::Impl& engine, ContainerRow& container) : engine_(engine), container_(container) {}
  Result<void> act(std::uint32_t point, int pid);
  Result<void> run_creation_hooks(int pid);
  Result<void> run_start_hooks(int pid);
  Result<void> move_network_devices(int pid);
  Result<void> enter_resctrl(int pid);
  std::string init_path() const;

  Engine::Impl& engine_;
  ContainerRow& container_;
  oci::RuntimeSpec spec_;
  std::optional<Rendezvous> rendezvous_;
  bundle::MovedDevices devices_;
  int pid_ = 0;  // of init, and of what it becomes
};

// After the container's end, once a start: its poststop hooks, and what resctrl has of it. What fails becomes
// a warning of the container's, for nothing can be undone any more. Clears container.runtime.stop_actions;
// the caller writes the row.
void run_stop_actions(const Engine::Impl& engine, ContainerRow& container);

}  // namespace fermata::pod
