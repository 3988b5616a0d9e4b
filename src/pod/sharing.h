// Which namespaces a container shares with whom: the rules, pure; and the descriptors to join, opened from
// those who hold them.
#pragma once

#include <optional>
#include <string>

#include "pod/engine_impl.h"

namespace fermata::pod {

// What the IPC of a container comes from.
enum class IpcSource {
  pod,   // the pod's, held by its monitor, with the pod's /dev/shm
  own,   // a namespace and a /dev/shm of its own
  bare,  // a namespace of its own, no /dev/shm
  host,
  other,  // another container's
};
IpcSource ipc_source(const ContainerConfig& config, const PodConfig& pod);

// An IPC namespace to join and the /dev/shm that belongs to it; both empty for the host's namespace.
struct SharedIpc {
  UniqueFd ipc_namespace;
  UniqueFd shm;  // detached mount
};

class Sharing {
 public:
  explicit Sharing(Engine::Impl& engine) : engine_(engine) {}

  // The container that --ipc/--pid/--net=container:<id> means, which must run.
  // `cannot join <what> of a non running container: x`.
  struct Target {
    ContainerRow container;
    PodRow pod;
    LivePod live;
    const monitor::Process* process;  // of live
  };
  Result<Target> running_target(const std::string& reference, const char* what);

  // Whether those whose PID and IPC namespaces the container joins still run.
  Result<void> check_targets(const ContainerRow& container, const PodRow& pod);

  Result<SharedIpc> open_ipc(const std::string& reference);
  // /proc/<pid>/ns/pid of a running container.
  Result<UniqueFd> open_pid_namespace(const std::string& reference);

 private:
  Engine::Impl& engine_;
};

// A namespace or another file below /proc/<pid> of a process that the monitor still calls running afterwards,
// so that a reused number cannot be taken for it.
Result<UniqueFd> open_of_process(LivePod& live, const std::string& container, const std::string& file,
                                 int flags);

}  // namespace fermata::pod
