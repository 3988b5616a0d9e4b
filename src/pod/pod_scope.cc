#include "pod/pod_scope.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/id.h"
#include "scope/scope_name.h"
#include "scope/scopes.h"

namespace fermata::pod {
namespace {

// systemd.special(7): the place of containers.
constexpr const char* kSlice = "machine.slice";
// What `systemctl stop` gives a pod until it kills, in microseconds: as much as `fermata stop` does. The
// first process of a PID namespace does not even hear of a SIGTERM that it does not handle.
constexpr std::uint64_t kStopPatience = 10000000;

}  // namespace

Result<PodScope> PodScope::make(const kernel::CgroupMounts& mounts, const std::string& engine,
                                const std::string& pod, const std::string& parent) {
  TRY(const std::string slice, scope::parent_slice(parent.empty() ? kSlice : parent));
  TRY(scope::Scopes * systemd, scope::load_scopes());
  TRY(scope::Keeper keeper, scope::Keeper::start());
  PodScope made(std::move(keeper));
  const scope::ScopeRequest request = {.slice = slice,
                                       .unit = fmt::format("{}-{}.scope", engine, pod),
                                       .description = fmt::format("Fermata pod {}", short_id(pod)),
                                       .pid = made.keeper_.pid(),
                                       .properties = {{"TimeoutStopUSec", kStopPatience}}};
  auto path = systemd->start(request);
  if (!path && path.error().kind() == ErrorKind::conflict) {
    // What is left of the pod's run before, which systemd has not taken away yet.
    TRY(systemd->stop(request.unit));
    path = systemd->start(request);
  }
  TRY(made.path_, std::move(path));
  TRY(const auto group, kernel::Cgroup::create(mounts, made.path_ + kMonitorGroup));
  TRY(made.monitor_group_, group.open_handles());
  return made;
}

Result<void> release_commands(const kernel::CgroupMounts& mounts, const std::string& path) {
  const auto group = kernel::Cgroup::open(mounts, path + PodScope::kMonitorGroup);
  // A command may have started another one meanwhile; each round finds fewer.
  for (;;) {
    TRY(const auto members, group.processes());
    if (members.empty()) return {};
    for (const int pid : members) {
      const auto moved = kernel::Cgroup::open(mounts, "").add_process(pid);
      if (!moved && moved.error().error_number() != ESRCH) return moved;
    }
  }
}

Result<void> end_scope(const kernel::CgroupMounts& mounts, const std::string& path) {
  const auto group = kernel::Cgroup::open(mounts, path);
  if (!group.exists()) return {};
  TRY(scope::Scopes * systemd, scope::load_scopes());
  TRY(systemd->stop(path.substr(path.rfind('/') + 1)));
  return group.exists() ? group.remove() : Result<void>();
}

}  // namespace fermata::pod
