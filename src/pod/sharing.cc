#include "pod/sharing.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/files.h"
#include "base/id.h"
#include "kernel/mounts.h"
#include "pod/sandbox.h"

namespace fermata::pod {
namespace {

constexpr int kMaximumChain = 16;

}  // namespace

bool ipc_is_shareable(const ContainerConfig& config, bool infra) {
  if (config.ipc.kind.empty()) return infra;
  return config.ipc.kind == "shareable" || config.ipc.kind == "host";
}

IpcSource ipc_source(const ContainerConfig& config, const PodConfig& pod) {
  if (config.ipc.kind == "host") return IpcSource::host;
  if (config.ipc.kind == "none") return IpcSource::bare;
  // That of its own pod's infra container is the pod's, which is at hand.
  if (config.ipc.kind == "container")
    return pod.ipc == "pod" && config.ipc.target == pod.infra ? IpcSource::pod : IpcSource::other;
  // Only the founder of a pod lives in the pod's own namespace unasked: docker's default for the others is
  // private too.
  return config.net.kind == "container" || pod.ipc != "pod" ? IpcSource::own : IpcSource::pod;
}

Result<UniqueFd> open_of_process(LivePod& live, const std::string& container, const std::string& file,
                                 int flags) {
  const auto* process = live.find(container);
  if (process == nullptr || process->exit_code >= 0)
    return fail(ErrorKind::conflict, "container {} is not running", container);
  const int pid = process->pid;
  TRY(UniqueFd fd, open_file(fmt::format("/proc/{}/{}", pid, file), flags));
  TRY(live.refresh());
  process = live.find(container);
  if (process == nullptr || process->exit_code >= 0 || process->pid != pid)
    return fail(ErrorKind::conflict, "container {} is not running", container);
  return fd;
}

Result<Sharing::Target> Sharing::running_target(const std::string& reference, const char* what) {
  TRY(auto container, engine_.find(reference));
  TRY(auto pod, engine_.store().pod(container.pod));
  TRY(auto live, engine_.reach(container.pod));
  if (!live || !live->runs(container.id))
    return fail(ErrorKind::conflict, "cannot join {} of a non running container: {}", what, container.name);
  Target target{
      .container = std::move(container), .pod = std::move(pod), .live = std::move(*live), .process = nullptr};
  target.process = target.live.find(target.container.id);
  return target;
}

Result<void> Sharing::check_targets(const ContainerRow& container, const PodRow& pod) {
  const ContainerConfig& config = container.config;
  const auto check = [&](const NamespaceMode& mode, const char* what) -> Result<void> {
    if (mode.kind != "container") return {};
    const auto target = running_target(mode.target, what);
    if (target) return {};
    if (target.error().kind() != ErrorKind::not_found) return tl::unexpected(target.error());
    // Its name went with it. That of its pod stays.
    const bool here = mode.target == config.net.target;
    return fail(ErrorKind::conflict, "cannot join {} of container {}{}, which was removed", what,
                short_id(mode.target), here ? fmt::format(" of pod '{}'", pod.name) : "");
  };
  TRY(check(config.pid, "PID"));
  return check(config.ipc, "IPC");
}

Result<SharedIpc> Sharing::open_ipc(const std::string& first) {
  std::string reference = first;
  for (int i = 0; i < kMaximumChain; ++i) {
    TRY(auto target, running_target(reference, "IPC"));
    const ContainerConfig& config = target.container.config;
    const IpcSource source = ipc_source(config, target.pod.config);
    if (config.ipc.kind == "container") {
      // It has joined another's itself.
      reference = config.ipc.target;
      continue;
    }
    if (!ipc_is_shareable(config, target.pod.config.infra == target.container.id))
      return fail(ErrorKind::invalid_argument,
                  "can't join IPC of container {}: non-shareable IPC (start it with --ipc=shareable)",
                  target.container.id);
    if (source == IpcSource::host) return SharedIpc();
    SharedIpc shared;
    if (source == IpcSource::pod) {
      TRY(auto namespaces, target.live.client.namespaces());
      TRY(shared.shm, kernel::clone_tree_in(namespaces.mount.get(), "/shm"));
      shared.ipc_namespace = std::move(namespaces.ipc);
      return shared;
    }
    const std::string& id = target.container.id;
    TRY(shared.ipc_namespace, open_of_process(target.live, id, "ns/ipc", O_RDONLY));
    TRY(const UniqueFd mounts, open_of_process(target.live, id, "ns/mnt", O_RDONLY));
    TRY(shared.shm, kernel::clone_tree_in(mounts.get(), "/dev/shm"));
    return shared;
  }
  return fail(ErrorKind::invalid_argument, "--ipc=container:{}: the containers join each other in a circle",
              first);
}

Result<UniqueFd> Sharing::open_pid_namespace(const std::string& reference) {
  TRY(auto target, running_target(reference, "PID"));
  return open_of_process(target.live, target.container.id, "ns/pid", O_RDONLY);
}

}  // namespace fermata::pod
