#include "runtime/launch_plan.h"

#include <fmt/format.h>
#include <sched.h>

#include <array>
#include <string_view>
#include <utility>

#include "runtime/plan_builder.h"
#include "runtime/plan_mounts.h"
#include "runtime/plan_process.h"

namespace fermata::runtime {
namespace {

using init::Op;

struct NamespaceRow {
  oci::Namespace::Type type;
  std::uint32_t flag;
  const char* name;
};
constexpr auto kNamespaces = std::to_array<NamespaceRow>({
    {oci::Namespace::Type::network, CLONE_NEWNET, "network"},
    {oci::Namespace::Type::ipc, CLONE_NEWIPC, "IPC"},
    {oci::Namespace::Type::uts, CLONE_NEWUTS, "UTS"},
    {oci::Namespace::Type::cgroup, CLONE_NEWCGROUP, "cgroup"},
});

Result<void> plan_namespace(const oci::Namespace& wanted, std::uint32_t* unshare, PlanBuilder* plan) {
  if (wanted.type == oci::Namespace::Type::user)
    return fail(ErrorKind::unsupported, "user namespaces are not supported");
  if (wanted.type == oci::Namespace::Type::mount) {
    if (wanted.fd >= 0)
      return fail(ErrorKind::unsupported, "a container's mount namespace is always its own");
    return {};
  }
  if (wanted.type == oci::Namespace::Type::pid) {
    plan->set_pid_namespace(wanted.fd < 0, wanted.fd);
    return {};
  }
  for (const NamespaceRow& row : kNamespaces) {
    if (row.type != wanted.type) continue;
    if (wanted.fd >= 0)
      plan->add({.op = Op::join_namespace, .fd = wanted.fd, .flags = row.flag},
                fmt::format("join the {} namespace", row.name));
    else
      *unshare |= row.flag;
  }
  return {};
}

Result<void> plan_namespaces(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  std::uint32_t unshare = CLONE_NEWNS;
  for (const oci::Namespace& wanted : spec.namespaces) TRY(plan_namespace(wanted, &unshare, plan));
  plan->add({.op = Op::unshare, .flags = unshare}, "make new namespaces");
  if (!spec.hostname.empty())
    plan->add({.op = Op::set_hostname, .strings = {spec.hostname}},
              fmt::format("set the hostname '{}'", spec.hostname));
  return {};
}

// net.* belongs to the network namespace, which is ours only when it was made for us.
bool owns_network(const oci::RuntimeSpec& spec) {
  for (const oci::Namespace& wanted : spec.namespaces)
    if (wanted.type == oci::Namespace::Type::network) return wanted.fd < 0;
  return false;
}

Result<void> plan_sysctls(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  for (const auto& [name, value] : spec.sysctl) {
    if (name.find("..") != std::string::npos || name.empty() || name[0] == '/')
      return fail(ErrorKind::invalid_argument, "'{}' is no sysctl", name);
    if (name.starts_with("net.") && !owns_network(spec)) {
      plan->skip(fmt::format("sysctl {}: the network namespace is not this container's own", name));
      continue;
    }
    // "net/ipv4/conf/eth0.1/forwarding" is the way to name an interface with a dot; sysctl(8).
    std::string path = name;
    if (path.find('/') == std::string::npos)
      for (char& c : path)
        if (c == '.') c = '/';
    plan->add({.op = Op::write_kernel_file, .data = value, .strings = {"/proc/sys/" + path}},
              fmt::format("set sysctl {}={}", name, value));
  }
  return {};
}

// The supervisor has the container's files and network, but not its cgroup namespace: the command is cloned
// from a group outside of it into one inside, which only those may do who see both (cgroups(7), nsdelegate).
// Nor has it our session keyring.
void plan_supervision(const ExecTarget& target, const StartOptions& options, PlanBuilder* plan) {
  if (options.new_keyring)
    plan->add({.op = Op::new_session_keyring, .flags = init::kOptional}, "make a session keyring");
  plan->add({.op = Op::join_namespace, .fd = target.pidfd, .flags = target.namespaces & ~CLONE_NEWCGROUP},
            "join the container's namespaces");
  std::vector<int> groups = {target.cgroup.directory};
  groups.insert(groups.end(), target.cgroup.v1_procs.begin(), target.cgroup.v1_procs.end());
  plan->add_row({.op = Op::supervise,
                 .flags = target.cgroup.freezer ? init::kFreezer : 0,
                 .a = target.cgroup.v1_procs.size()},
                groups, "start the command in a cgroup of its own");
  if ((target.namespaces & CLONE_NEWCGROUP) != 0)
    plan->add({.op = Op::join_namespace, .fd = target.pidfd, .flags = CLONE_NEWCGROUP},
              "join the container's cgroup namespace");
}

}  // namespace

Result<LaunchPlan> plan_container(const oci::RuntimeSpec& spec, const StartOptions& options) {
  PlanBuilder plan;
  TRY(plan_namespaces(spec, &plan));
  if (owns_network(spec)) plan.add({.op = Op::raise_loopback}, "bring up the loopback interface");
  TRY(plan_sysctls(spec, &plan));
  plan_oom_score(spec.process, &plan);
  TRY(plan_root(spec, options, &plan));
  TRY(plan_file_system(spec, options, &plan));
  TRY(plan_process(spec.process, {.seccomp_program = spec.seccomp_program, .make_cwd = !spec.root_readonly},
                   options, &plan));
  return std::move(plan).finish();
}

Result<LaunchPlan> plan_exec(const oci::Process& process, const ExecTarget& target, int seccomp_program,
                             const StartOptions& options) {
  PlanBuilder plan;
  plan.set_pid_namespace(false, target.pid_namespace);
  plan_oom_score(process, &plan);
  // Without the mount namespace the command would run on the host's files.
  if (target.pidfd < 0 || (target.namespaces & CLONE_NEWNS) == 0)
    return fail(ErrorKind::conflict, "the container's process has ended");
  StartOptions of_process = options;
  if (target.cgroup.directory >= 0) {
    plan_supervision(target, options, &plan);
    of_process.new_keyring = false;
  } else {
    plan.add({.op = Op::join_namespace, .fd = target.pidfd, .flags = target.namespaces},
             "join the container's namespaces");
  }
  TRY(plan_process(process, {.seccomp_program = seccomp_program, .console_flags = init::kNoConsoleBind},
                   of_process, &plan));
  return std::move(plan).finish();
}

}  // namespace fermata::runtime
