// Another process in a container, and new limits for it.
#include <fmt/format.h>

#include <cerrno>

#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "bundle/descriptors.h"
#include "bundle/entry.h"
#include "bundle/group.h"
#include "bundle/home.h"
#include "bundle/launch.h"
#include "bundle/listener.h"
#include "bundle/runtime.h"
#include "bundle/spec_parts.h"

namespace fermata::bundle {
namespace {

// On v2 a group that has given controllers to groups below it takes no processes: a container that manages
// its own, as systemd does, has its first process further down.
Result<kernel::Cgroup> group_of_process(const kernel::CgroupMounts& mounts, int pid) {
  TRY(const std::string text, read_file(fmt::format("/proc/{}/cgroup", pid), 1u << 20));
  for (const auto line : split(text, '\n'))
    if (line.starts_with("0::/")) return kernel::Cgroup::open(mounts, std::string(line.substr(4)));
  return fail(ErrorKind::not_found, "process {} is in no control group", pid);
}

// `below` as it was given: "", "/" and "a/b" are of the container; nothing else is.
Result<std::string> path_of_group(const Record& record, std::string below) {
  below.erase(0, below.find_first_not_of('/'));
  if (below.empty()) return record.cgroup;
  if (!kernel::Cgroup::is_path(below))
    return fail(ErrorKind::invalid_argument, "--cgroup {}: not a control group below the container's", below);
  return record.cgroup + "/" + below;
}

Result<Child> launch_in_group(const Options& options, const runtime::LaunchPlan& plan,
                              const std::vector<std::string>& args, const kernel::Cgroup& group,
                              const Reactions& reactions) {
  TRY(const auto handles, group.open_handles());
  return launch(plan, args, {.init_path = options.programs + kInitProgram, .group = &handles}, reactions);
}

}  // namespace

Result<Started> Runtime::exec(const std::string& id, const ExecOptions& options) const {
  TRY(const Container container, find(id));
  if (container.status == Status::stopped)
    return fail(ErrorKind::conflict, "cannot exec in a stopped container");
  if (container.status == Status::paused && !options.ignore_paused)
    return fail(ErrorKind::conflict, "cannot exec in a paused container (use --ignore-paused to override)");
  if (!options.console_socket.empty() && !options.process.terminal)
    return fail(ErrorKind::invalid_argument, "cannot use a console socket: the process has no terminal");
  TRY(const oci::RuntimeSpec spec, this->spec(container));
  oci::Process process = options.process;
  TRY(auto preserved, handed_down(options.preserve_fds, &process));
  TRY(const Entry entry, open_entry(container.record.pid, container.record.pid_start));
  add_home(container.record.pid, &process);
  TRY(const runtime::CompiledSeccomp filter, open_filter(spec, process, options_.root));
  TRY(const runtime::LaunchPlan plan,
      runtime::plan_exec(process, entry.target, filter.program.get(),
                         {.follow_parent = false,
                          .seccomp_flags = filter.flags,
                          .grantable_capabilities = grantable_capabilities(spec),
                          .preserved = std::move(preserved)}));
  for (const std::string& skipped : plan.skipped) options_.warn(skipped);
  if (const std::string score = unreachable_oom_score(process); !score.empty()) options_.warn(score);
  give_streams(spec, process);

  Started started;
  Reactions reactions;
  reactions.console = [&](UniqueFd master) -> Result<void> {
    if (!options.console_socket.empty()) return send_console(options.console_socket, master.get());
    started.console = std::move(master);
    return {};
  };
  reactions.listener = [&](UniqueFd listener) {
    return send_listener(spec.seccomp, container, spec.annotations, container.record.pid, listener.get());
  };
  TRY(const auto mounts, kernel::CgroupMounts::of_host());
  TRY(const std::string path, path_of_group(container.record, options.cgroup));
  auto child = launch_in_group(options_, plan, process.args, kernel::Cgroup::open(mounts, path), reactions);
  if (!child && child.error().error_number() == EBUSY && mounts.pure_v2()) {
    TRY(const auto group, group_of_process(mounts, container.record.pid));
    child = launch_in_group(options_, plan, process.args, group, reactions);
  }
  // How the kernel tells of a PID namespace without its first process. pid_namespaces(7).
  if (!child && child.error().error_number() == ENOMEM &&
      process_start(container.record.pid) != container.record.pid_start)
    return fail(ErrorKind::conflict, "cannot exec in a stopped container");
  if (!child) return tl::unexpected(std::move(child.error()));
  started.pid = child->pid;
  started.pidfd = std::move(child->pidfd);
  if (auto written = write_pid_file(options.pid_file, started.pid); !written) {
    end_child({.pid = started.pid, .pidfd = std::move(started.pidfd)});
    return tl::unexpected(std::move(written.error()));
  }
  return started;
}

Result<void> Runtime::update(const std::string& id, const oci::Resources& resources) const {
  TRY(const Container container, find(id));
  return change_group(container.record, resources, options_.warn);
}

}  // namespace fermata::bundle
