#include "pod/start_actions.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <mutex>

#include "base/files.h"
#include "bundle/entry.h"
#include "bundle/hooks.h"
#include "bundle/resctrl.h"
#include "kernel/network_device.h"
#include "pod/hook_document.h"

namespace fermata::pod {
namespace {

// What hooks are told of a container, whose bundle is its directory.
std::string state_of(const Engine::Impl& engine, const ContainerRow& container, const char* status, int pid) {
  const bundle::Container told = {.record = {.id = container.id,
                                             .bundle = engine.container_directory(container.id),
                                             .root = engine.options().run_root + kRootMountPoint,
                                             .pid = pid,
                                             .created = container.created,
                                             .owner = container.owner},
                                  .status = pid == 0 ? bundle::Status::stopped : bundle::Status::running};
  return bundle::state_document(told, status, container.config.annotations);
}

// fermata-init starts as a clone that shares our memory, also with our other threads (monitor/child.h).
std::mutex clones;

template <class Start>
bundle::StartHook one_at_a_time(Start start) {
  return [start](const oci::Hook& hook, const std::array<int, 3>& streams) {
    const std::lock_guard lock(clones);
    return start(hook, streams);
  };
}

// Of an earlier start of the container, in a pod that has gone on.
Result<bool> is_inside(int pid, const std::string& outside, const std::string& inside) {
  TRY(UniqueFd host, open_file("/proc/self/ns/net", O_RDONLY));
  TRY(const auto here, kernel::NetworkPlace::open(std::move(host)));
  if (here.socket.link_index(outside) != 0) return false;
  TRY(UniqueFd pod, open_file(fmt::format("/proc/{}/ns/net", pid), O_RDONLY));
  TRY(const auto there, kernel::NetworkPlace::open(std::move(pod)));
  return there.socket.link_index(inside) != 0;
}

}  // namespace

bool wants_actions(const cdi::Edits& edits) {
  const oci::Hooks& hooks = edits.hooks;
  for (const auto* list : {&hooks.prestart, &hooks.create_runtime, &hooks.create_container,
                           &hooks.start_container, &hooks.poststart, &hooks.poststop})
    if (!list->empty()) return true;
  return edits.intel_rdt || !edits.network_devices.empty();
}

bool wants_stop_actions(const cdi::Edits& edits) { return !edits.hooks.poststop.empty() || edits.intel_rdt; }

Result<std::unique_ptr<StartActions>> StartActions::make(Engine::Impl& engine, ContainerRow& container) {
  if (!wants_actions(container.config.edits)) return nullptr;
  std::unique_ptr<StartActions> made(new StartActions(engine, container));
  TRY(made->rendezvous_, Rendezvous::make([actions = made.get()](std::uint32_t point, int pid) {
        return actions->act(point, pid);
      }));
  return made;
}

std::string StartActions::init_path() const { return engine_.options().programs + bundle::kInitProgram; }

runtime::StartOptions StartActions::start_options() const {
  return {.synchronize = true,
          .synchronize_start = !container_.config.edits.hooks.start_container.empty(),
          .synchronize_socket = rendezvous_->far_end()};
}

Result<void> StartActions::prepare(oci::RuntimeSpec spec, const std::string& cgroup) {
  spec_ = std::move(spec);
  spec_.annotations = container_.config.annotations;
  spec_.cgroups_path = "/" + cgroup;
  const std::string directory = engine_.container_directory(container_.id);
  return write_file(directory + "/" + bundle::kConfigFile, hook_document(spec_, spec_.mount_point), 0600);
}

Result<void> StartActions::act(std::uint32_t point, int pid) {
  if (point == runtime::kEverythingMade) return run_start_hooks(pid);
  pid_ = pid;
  TRY(move_network_devices(pid));
  TRY(enter_resctrl(pid));
  return run_creation_hooks(pid);
}

Result<void> StartActions::move_network_devices(int pid) {
  oci::RuntimeSpec wanted;
  wanted.namespaces = spec_.namespaces;
  for (const auto& [outside, inside] : container_.config.edits.network_devices) {
    TRY(const bool there, is_inside(pid, outside, inside));
    if (!there) wanted.network_devices.emplace(outside, inside);
  }
  TRY(devices_, bundle::MovedDevices::move(wanted, pid));
  return {};
}

Result<void> StartActions::enter_resctrl(int pid) {
  oci::RuntimeSpec wanted;
  wanted.intel_rdt = container_.config.edits.intel_rdt;
  if (!wanted.intel_rdt) return {};
  TRY(container_.runtime.resctrl, bundle::enter_resctrl(wanted, container_.id, pid));
  // Whoever finds the container at its end has to know of it.
  return engine_.store().update_state(container_);
}

Result<void> StartActions::run_creation_hooks(int pid) {
  const oci::Hooks& hooks = container_.config.edits.hooks;
  const std::string state = state_of(engine_, container_, "creating", pid);
  TRY(bundle::run_hooks(hooks.prestart, "prestart", state, bundle::start_hook_here));
  TRY(bundle::run_hooks(hooks.create_runtime, "createRuntime", state, bundle::start_hook_here));
  if (hooks.create_container.empty()) return {};
  TRY(const bundle::Entry entry, bundle::open_entry(pid, 0));
  return bundle::run_hooks(hooks.create_container, "createContainer", state,
                           one_at_a_time([&](const oci::Hook& hook, const std::array<int, 3>& streams) {
                             return bundle::start_hook_inside(init_path(), hook, entry, streams);
                           }));
}

Result<void> StartActions::run_start_hooks(int pid) {
  TRY(const bundle::Entry entry, bundle::open_entry(pid, 0));
  const bundle::HookRights rights = {.process = spec_.process, .seccomp_program = spec_.seccomp_program};
  return bundle::run_hooks(container_.config.edits.hooks.start_container, "startContainer",
                           state_of(engine_, container_, "created", pid),
                           one_at_a_time([&](const oci::Hook& hook, const std::array<int, 3>& streams) {
                             return bundle::start_hook_as_process(init_path(), rights, hook, entry, streams);
                           }));
}

Result<void> StartActions::finish() {
  devices_.keep();
  return bundle::run_hooks(container_.config.edits.hooks.poststart, "poststart",
                           state_of(engine_, container_, "running", pid_), bundle::start_hook_here);
}

void run_stop_actions(const Engine::Impl& engine, ContainerRow& container) {
  ContainerRuntime& runtime = container.runtime;
  if (!runtime.stop_actions) return;
  runtime.stop_actions = false;
  auto failures = bundle::run_all_hooks(container.config.edits.hooks.poststop, "poststop",
                                        state_of(engine, container, "stopped", 0));
  if (auto removed = kernel::remove_resctrl_group(runtime.resctrl); !removed)
    failures.push_back(std::move(removed.error()));
  runtime.resctrl = {};
  for (const Error& failure : failures) runtime.warnings.push_back(failure.message());
}

}  // namespace fermata::pod
