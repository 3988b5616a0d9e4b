// Another process in a running container.
#include <fcntl.h>
#include <fmt/format.h>

#include <array>

#include "base/files.h"
#include "base/id.h"
#include "kernel/mounts.h"
#include "kernel/pidfd.h"
#include "kernel/program.h"
#include "oci/runtime_document_writer.h"
#include "pod/container_spec.h"
#include "pod/engine_impl.h"
#include "pod/exec_group.h"
#include "pod/foreign.h"
#include "pod/foreign_spec.h"
#include "pod/launcher.h"
#include "pod/sandbox.h"
#include "pod/selinux.h"
#include "pod/sharing.h"
#include "runtime/defaults.h"
#include "runtime/exec_target.h"
#include "runtime/foreign_plan.h"
#include "runtime/launch_plan.h"
#include "runtime/user.h"

namespace fermata::pod {
namespace {

constexpr int kEngineFailed = 1;  // docker's code of `exec` for what is not the command's fault
constexpr int kCannotInvoke = 126;

Result<std::string> read_in_root(int root, const char* path) {
  auto fd = kernel::open_in_root(root, path, O_RDONLY | O_NONBLOCK);
  if (!fd) return std::string();
  return read_fd(fd->get(), 1u << 20);
}

// The process to start, beside the container's own.
Result<oci::Process> exec_process(const ContainerRow& container, const ExecConfig& config, int root,
                                  const StreamSelection& streams) {
  oci::Process process;
  process.terminal = config.terminal;
  process.console_rows = streams.rows;
  process.console_columns = streams.columns;
  process.args = config.command;
  process.user = container.runtime.user;
  process.env = merge_env(container.runtime.env, config.env);
  if (config.terminal) process.env = merge_env({"TERM=xterm"}, process.env);
  process.cwd = config.working_dir.empty() ? container.runtime.resolved.working_dir : config.working_dir;
  if (!config.user.empty()) {
    TRY(const std::string passwd, read_in_root(root, "/etc/passwd"));
    TRY(const std::string group, read_in_root(root, "/etc/group"));
    TRY(const auto user, runtime::resolve_user(config.user, passwd, group, container.config.groups));
    process.user = user.user;
    process.env = merge_env(std::move(process.env), {"HOME=" + user.home});
    process.env = merge_env(std::move(process.env), config.env);
  }
  ContainerConfig rights = container.config;
  rights.privileged = rights.privileged || config.privileged;
  TRY(process.capabilities, container_sets(rights));
  for (const Ulimit& ulimit : container.config.ulimits)
    process.rlimits.push_back({rlimit_type(ulimit.name), ulimit.soft, ulimit.hard});
  TRY(const Security security, parse_security(container.config.security_opt));
  process.no_new_privileges = security.no_new_privileges;
  process.apparmor_profile = security.apparmor_profile;
  process.selinux_label = selinux_labels(container.config.selinux_label).process;
  process.oom_score_adj = container.config.oom_score_adj;
  return process;
}

Result<UniqueFd> exec_seccomp(const Engine::Impl& engine, const ContainerRow& container,
                              const ExecConfig& config, const std::vector<std::string>& capabilities) {
  TRY(const Security security, parse_security(container.config.security_opt));
  if (container.config.privileged || config.privileged || security.seccomp_unconfined) return UniqueFd();
  return security.seccomp_profile.empty()
             ? runtime::default_seccomp(engine.options().root + "/cache", capabilities)
             : runtime::seccomp_from_profile(security.seccomp_profile, capabilities);
}

struct PreparedExec {
  LivePod live;
  LaunchRequest request;
  runtime::LaunchPlan plan;
  std::vector<UniqueFd> kept;
  std::optional<ExecGroup> group = {};
  ConsoleSocket console = {};  // of another runtime's
};

// With a group of its own, and a supervisor, where the host and the monitor have that.
Result<void> prepare_group(Engine::Impl& engine, const ContainerRow& container, const PodRow& pod,
                           const ExecConfig& config, bool supervised, PreparedExec& prepared) {
  TRY(const auto* mounts, engine.cgroup_mounts());
  const std::string path = engine.container_cgroup(pod, container.id);
  if (supervised) {
    TRY(prepared.group, make_exec_group(*mounts, path, prepared.request.id));
  }
  if (prepared.group) {
    prepared.request.exec_group = prepared.group->container.get();
    prepared.request.timeout_ms = static_cast<std::uint64_t>(config.timeout.count());
    return {};
  }
  if (config.timeout.count() != 0)
    return supervised
               ? fail(ErrorKind::unsupported,
                      "a timeout needs a cgroup v2 tree, or the freezer of v1, and this host has neither: "
                      "mount one at /sys/fs/cgroup")
               : fail(ErrorKind::unsupported,
                      "a timeout needs a newer monitor than the pod of container '{}' has: stop all "
                      "containers "
                      "of the pod and start them again",
                      container.name);
  TRY(prepared.request.group, kernel::Cgroup::open(*mounts, path).open_handles());
  return {};
}

// By the runtime that has made the container.
Result<runtime::LaunchPlan> plan_foreign(Engine::Impl& engine, const ContainerRow& container,
                                         const PodRow& pod, oci::Process process, PreparedExec& prepared) {
  if (!prepared.group)
    return fail(ErrorKind::unsupported, "another OCI runtime needs a cgroup v2 tree, or the freezer of v1");
  const std::string& session = prepared.request.id;
  const ForeignContainer foreign(engine.options().run_root, container);
  if (process.terminal) {
    TRY(prepared.console, ConsoleSocket::listen(engine.options().run_root));
  }
  keep_to_rights(own_rights(), &process);
  TRY(write_file(foreign.path(session + ".json"), oci::process_document(process), 0600));
  auto commands = foreign.exec_commands(session, prepared.console);
  TRY(const auto* mounts, engine.cgroup_mounts());
  if (!prepared.group->freezer)
    commands.group = fmt::format("{}/{}/{}", mounts->unified, engine.container_cgroup(pod, container.id),
                                 prepared.group->name);
  return runtime::plan_foreign_exec(commands);
}

Result<runtime::LaunchPlan> plan_own(const Engine::Impl& engine, const ContainerRow& container,
                                     const ExecConfig& config, const oci::Process& process,
                                     runtime::ExecTarget target, PreparedExec& prepared) {
  TRY(UniqueFd seccomp, exec_seccomp(engine, container, config, process.capabilities.bounding));
  if (prepared.group) target.cgroup = prepared.group->borrow();
  const int program = seccomp.get();
  if (seccomp) prepared.kept.push_back(std::move(seccomp));
  return runtime::plan_exec(process, target, program);
}

Result<PreparedExec> prepare(Engine::Impl& engine, const ContainerRow& container, const ExecConfig& config,
                             const StreamSelection& streams, bool supervised) {
  if (config.command.empty()) return fail(ErrorKind::invalid_argument, "no exec command specified");
  TRY(auto live, engine.reach(container.pod));
  if (!live || !live->runs(container.id))
    return fail(ErrorKind::conflict, "container {} is not running", container.id);
  TRY(const PodRow pod, engine.store().pod(container.pod));
  TRY(const bool paused, engine.is_paused(pod, container.id));
  if (paused)
    return fail(ErrorKind::conflict, "Container {} is paused, unpause the container before exec",
                container.id);
  PreparedExec prepared{.live = std::move(*live), .request = {}, .plan = {}, .kept = {}};
  const auto keep = [&](UniqueFd fd) {
    prepared.kept.push_back(std::move(fd));
    return prepared.kept.back().get();
  };
  const int pid = prepared.live.find(container.id)->pid;
  UniqueFd pidfd = kernel::open_pidfd(pid);
  if (!pidfd) return fail(errno, "open process {} of container {}", pid, container.name);
  // The second question to the monitor proves that number, pidfd and files are of one process.
  TRY(UniqueFd root, open_of_process(prepared.live, container.id, "root", O_PATH | O_DIRECTORY));
  TRY(UniqueFd pid_namespace, open_of_process(prepared.live, container.id, "ns/pid", O_RDONLY));
  TRY(const oci::Process process, exec_process(container, config, root.get(), streams));
  TRY(UniqueFd init, kernel::open_program(engine.options().programs + "/fermata-init"));
  prepared.request.id = random_hex(32);
  const runtime::ExecTarget target{.pidfd = keep(std::move(pidfd)),
                                   .pid_namespace = keep(std::move(pid_namespace)),
                                   .namespaces = runtime::namespaces_of(pid)};
  TRY(prepare_group(engine, container, pod, config, supervised, prepared));
  auto plan = is_foreign(container) ? plan_foreign(engine, container, pod, process, prepared)
                                    : plan_own(engine, container, config, process, target, prepared);
  if (!plan) {
    if (prepared.group) prepared.group->remove();
    return tl::unexpected(std::move(plan.error()));
  }
  prepared.plan = std::move(*plan);
  prepared.request.stream_owner = stream_owner(pod.config, process.user);
  prepared.request.container = container.id;
  prepared.request.flags = monitor::kExec | (config.terminal ? monitor::kTerminal : 0) |
                           (config.stdin_open ? monitor::kStdinOpen | monitor::kStdinOnce : 0);
  prepared.request.init_program = keep(std::move(init));
  return prepared;
}

}  // namespace

SessionResult Engine::Impl::exec(const std::string& reference, const ExecConfig& config,
                                 const StreamSelection& streams) {
  const auto failure = [](Error error, int exit_code) {
    return tl::unexpected<StartFailure>(StartFailure{.exit_code = exit_code, .error = std::move(error)});
  };
  auto container = find(reference);
  if (!container) return failure(std::move(container.error()), kEngineFailed);
  if (container->runtime.resolved.pause)
    return failure(
        Error(
            ErrorKind::unsupported, 0,
            fmt::format("container '{}' runs the built-in pause, which has no programs to execute: exec into "
                        "a container that has joined it",
                        container->name)),
        kCannotInvoke);
  for (bool supervised = true;; supervised = false) {
    auto prepared = prepare(*this, *container, config, streams, supervised);
    if (!prepared) return failure(std::move(prepared.error()), kEngineFailed);
    const std::string id = prepared->request.id;
    auto session =
        launch_process(prepared->live, prepared->plan, config.command, std::move(prepared->request), streams);
    if (is_foreign(*container)) {
      const ForeignContainer foreign(options_.run_root, *container);
      if (!session) session.error() = foreign_failure(foreign.complaint(id), std::move(session.error()));
      foreign.remove_session(id);
    }
    if (session && *session && prepared->group)
      (*session)->set_killer([directory = run_directory(container->pod), id]() -> Result<void> {
        TRY(auto client, MonitorClient::connect(directory));
        if (!client) return {};
        auto killed = client->kill_group(id);
        if (!killed && killed.error().error_number() == ESRCH) return {};  // it has ended by itself
        return killed;
      });
    if (session) return session;
    if (prepared->group) prepared->group->remove();
    // A pod that was made by an engine of before supervisors.
    if (!supervised || session.error().error.error_number() != EPROTONOSUPPORT) return session;
  }
}

}  // namespace fermata::pod
