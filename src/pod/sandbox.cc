// A pod's sandbox: its monitor, the namespaces that holds, the network, the files. Made whole or not at all.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "base/files.h"
#include "base/id.h"
#include "kernel/network_namespace.h"
#include "kernel/pidfd.h"
#include "kernel/user_namespace.h"
#include "pod/engine_impl.h"
#include "pod/monitor_process.h"
#include "pod/network_files.h"
#include "pod/pod_scope.h"
#include "pod/user_ids.h"

namespace fermata::pod {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMonitorPatience{2000};   // to exit once it was told to
constexpr milliseconds kProcessPatience{10000};  // for killed processes to be gone
// Below the pod's own group.
constexpr const char* kPodGroups[] = {"/infra", "/ctrs"};

// Waits for a process's end. False: not in time.
bool wait_gone(int pidfd, milliseconds timeout) {
  pollfd gone = {.fd = pidfd, .events = POLLIN, .revents = 0};
  int ready = 0;
  do ready = ::poll(&gone, 1, static_cast<int>(timeout.count()));
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

std::uint32_t namespaces_of(const PodConfig& config) {
  std::uint32_t flags = 0;
  if (config.net != "host") flags |= CLONE_NEWNET;
  if (config.ipc == "pod") flags |= CLONE_NEWIPC;
  if (config.uts != "host") flags |= CLONE_NEWUTS;
  return flags;
}

// Invalid: the host's.
Result<UniqueFd> make_user_namespace(const PodConfig& config) {
  if (!config.user_namespace) return UniqueFd();
  return kernel::make_user_namespace(id_maps(config.user_namespace->uids, config.user_namespace->gids));
}

// A monitor that was told to end, or is of no use: it must be gone before its groups can be.
Result<void> end_monitor(MonitorClient& client, bool by_force) {
  TRY(const int pid, client.monitor_pid());
  // It still holds our connection, so the number is its own.
  UniqueFd pidfd = kernel::open_pidfd(pid);
  if (!pidfd) return errno == ESRCH ? Result<void>() : fail(errno, "open monitor {}", pid);
  if (by_force && kernel::send_signal(pidfd.get(), SIGKILL) != 0 && errno != ESRCH)
    return fail(errno, "end monitor {}", pid);
  if (!by_force) TRY(client.end());
  if (!wait_gone(pidfd.get(), kMonitorPatience))
    return fail(ErrorKind::unavailable, "monitor {} does not end", pid);
  return {};
}

Result<void> remove_group(const kernel::CgroupMounts& mounts, const std::string& path) {
  const auto group = kernel::Cgroup::open(mounts, path);
  if (!group.exists()) return {};
  // Empty as a rule. What a container left behind (a daemon that survived its parent) goes now.
  TRY(const auto members, group.processes());
  if (!members.empty()) {
    TRY(group.kill_all());
    TRY(const bool empty, group.wait_empty(kProcessPatience));
    if (!empty) return fail(ErrorKind::unavailable, "killed processes of cgroup '{}' do not end", path);
  }
  return group.remove();
}

// Without its monitor a scope is empty, and systemd takes it away: the groups below it first, and it gives up
// for ever if one of them vanishes under its hands (cg_trim() of systemd 252 ends with the first ENOENT). So
// what is ours goes as long as the monitor is there. False: processes are left in it, or hierarchies of
// version 1, of which systemd does not know them all.
Result<bool> clear_scope(const kernel::CgroupMounts& mounts, const std::string& scope) {
  if (!mounts.pure_v2()) return false;
  for (const char* inner : kPodGroups) {
    const auto group = kernel::Cgroup::open(mounts, scope + inner);
    if (!group.exists()) continue;
    TRY(const auto members, group.processes());
    if (!members.empty() || !group.remove()) return false;
  }
  return true;
}

Result<void> write_sysctls(const std::map<std::string, std::string>& sysctls) {
  for (const auto& [name, value] : sysctls) {
    std::string path = name;
    std::replace(path.begin(), path.end(), '.', '/');
    if (auto written = write_kernel_file("/proc/sys/" + path, value); !written)
      return fail_with(std::move(written.error()), fmt::format("sysctl '{}'", name));
  }
  return {};
}

// A thread of its own, which does not come back, for /proc/sys shows the IPC namespace of who opens its
// files.
Result<void> set_ipc_sysctls(const std::map<std::string, std::string>& sysctls, int ipc_namespace) {
  if (sysctls.empty()) return {};
  Result<void> done;
  std::thread([&] {
    done = ::setns(ipc_namespace, CLONE_NEWIPC) == 0 ? write_sysctls(sysctls)
                                                     : fail(errno, "enter the pod's IPC namespace");
  }).join();
  return done;
}

Result<void> set_net_sysctls(const std::map<std::string, std::string>& sysctls, int network_namespace) {
  if (sysctls.empty()) return {};
  // /proc/sys/net shows the namespace of the thread that looks at it.
  TRY(const auto visit, kernel::NetworkNamespaceVisit::enter(network_namespace));
  return write_sysctls(sysctls);
}

}  // namespace

// Returns the pod's group.
Result<std::string> Engine::Impl::start_monitor(const PodRow& pod) {
  TRY(const auto* mounts, cgroup_mounts());
  const std::vector<std::string> event_command = {options_.programs + "/fermata",
                                                  "--root",
                                                  options_.root,
                                                  "--run-root",
                                                  options_.run_root,
                                                  "--cgroup-manager",
                                                  to_string(options_.cgroup_manager),
                                                  "__event",
                                                  pod.id};
  const std::string directory = run_directory(pod.id), program = options_.programs + "/fermata-monitor";
  if (options_.cgroup_manager == CgroupManager::systemd) {
    TRY(const auto scope, PodScope::make(*mounts, cgroup_parent_, pod.id, pod.config.cgroup_parent));
    TRY(spawn_monitor(directory, event_command, scope.monitor_group(), program));
    return scope.path();
  }
  TRY(const auto group, kernel::Cgroup::create(*mounts, cgroup_parent_ + "/monitors"));
  TRY(const auto handles, group.open_handles());
  TRY(spawn_monitor(directory, event_command, handles, program));
  const std::string& parent = pod.config.cgroup_parent.empty() ? cgroup_parent_ : pod.config.cgroup_parent;
  return parent + "/" + pod.id;
}

Result<LivePod> Engine::Impl::make_sandbox(PodRow& pod) {
  const bool bridged = pod.config.net == "bridge";
  network::Reservation reservation;
  // Before anything is made: a port in use leaves nothing behind.
  if (bridged) {
    TRY(auto* net, network());
    TRY(reservation, net->reserve(pod.id, pod.config.ports));
  }
  const std::string directory = run_directory(pod.id);
  TRY(make_directories(directory, 0711));
  TRY(const std::string cgroup, start_monitor(pod));
  TRY(auto client, MonitorClient::connect(directory));
  if (!client) return fail(ErrorKind::unavailable, "the monitor of pod {} ended at once", short_id(pod.id));
  TRY(const UniqueFd users, make_user_namespace(pod.config));
  pod.runtime = {.network = {}, .ports = {}, .cgroup = cgroup, .warnings = {}};
  // Control groups take the kernel as long as namespaces do.
  const auto make_groups = [&]() -> Result<void> {
    TRY(const auto* mounts, cgroup_mounts());
    TRY(kernel::Cgroup::create(*mounts, cgroup + "/ctrs"));
    return {};
  };
  TRY(const auto namespaces,
      client->setup(namespaces_of(pod.config), pod.config.shm_size,
                    pod.config.uts == "host" ? "" : pod.config.hostname, users.get(), make_groups));
  if (bridged) {
    TRY(auto* net, network());
    TRY(pod.runtime.network, net->attach(pod.id, namespaces.net.get(), reservation));
    pod.runtime.ports = reservation.ports;
    pod.runtime.warnings = pod.runtime.network->warnings;
    if (!reservation.held.empty() || !reservation.relays.empty())
      TRY(client->hold_ports(reservation.held, reservation.relays,
                             network::Network::relay_targets(reservation, *pod.runtime.network)));
  } else if (pod.config.net == "cni") {
    TRY(attach_cni(pod, namespaces.net.get()));
  } else if (pod.config.net == "none") {
    TRY(network::Network::prepare_isolated(namespaces.net.get()));
  }
  TRY(set_net_sysctls(pod.config.net_sysctls, namespaces.net.get()));
  TRY(set_ipc_sysctls(pod.config.ipc_sysctls, namespaces.ipc.get()));
  TRY(write_network_files(directory, pod.config, pod.runtime));
  if (pod.config.user_namespace)
    for (const char* name : {"/hosts", "/resolv.conf", "/hostname"})
      TRY(own_by_root(directory + name, *pod.config.user_namespace));
  return LivePod{.client = std::move(*client), .processes = {}};
}

Result<bool> Engine::Impl::destroy_sandbox(const PodRow& pod, std::optional<LivePod> live) {
  TRY(const auto* mounts, cgroup_mounts());
  const std::string group = pod_cgroup(pod);
  bool clean = false;
  if (live && is_scope(group)) {
    TRY(clean, clear_scope(*mounts, group));
  }
  if (live) {
    // Half made, it may have processes that nobody will ever answer for.
    auto ended = end_monitor(live->client, !pod.ready);
    if (!ended && ended.error().error_number() == EBUSY) return false;
    if (!ended) TRY(end_monitor(live->client, true));
  }
  if (pod.config.net == "bridge") {
    TRY(auto* net, network());
    TRY(net->release(pod.id));
  }
  // What the plugins could not take away stays recorded, and stop_pod() and remove_pod() try again; it must
  // not keep everything else here.
  if (pod.config.net == "cni") static_cast<void>(detach_cni(pod).has_value());
  if (is_scope(group)) {
    TRY(release_commands(*mounts, group));
    // The rest is systemd's, which hears that the scope is empty.
    if (!clean) {
      for (const char* inner : kPodGroups) TRY(remove_group(*mounts, group + inner));
      TRY(end_scope(*mounts, group));
    }
  } else {
    TRY(remove_group(*mounts, group));
  }
  TRY(remove_tree(run_directory(pod.id)));
  return true;
}

Result<void> Engine::Impl::remove_common_groups() {
  return options_.resident ? Result<void>() : remove_common_groups_now();
}

Result<void> Engine::Impl::remove_common_groups_now() {
  TRY(const bool in_use, store().any_ready_pod());
  if (in_use) return {};
  TRY(const auto* mounts, cgroup_mounts());
  const auto monitors = kernel::Cgroup::open(*mounts, cgroup_parent_ + "/monitors");
  const auto parent = kernel::Cgroup::open(*mounts, cgroup_parent_);
  if (!parent.exists()) return {};
  // Waiting for it (a few milliseconds of another engine's work) lets the last of several engines do what the
  // ones before had to leave.
  TRY(const auto lock, FileLock::acquire(options_.run_root + "/lock"));
  TRY(const bool used_now, store().any_ready_pod());
  if (used_now) return {};
  if (monitors.exists()) {
    TRY(auto members, monitors.processes());
    // A monitor's event command is in the group until it steps out, here.
    if (std::erase(members, ::getpid()) != 0) TRY(kernel::Cgroup::open(*mounts, "").add_process(::getpid()));
    // Other event commands: they come here themselves.
    if (!members.empty()) return {};
  }
  for (const auto& group : {monitors, parent}) {
    const auto removed = group.remove();
    if (!removed && removed.error().error_number() != EBUSY && removed.error().error_number() != ENOENT)
      return removed;
  }
  return {};
}

}  // namespace fermata::pod
