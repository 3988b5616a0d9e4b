#include "runtime/launch_plan.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "runtime/plan_attributes.h"
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
  bool early = true;  // can be joined by a child that shares its parent's memory; setns(2)
};
constexpr auto kNamespaces = std::to_array<NamespaceRow>({
    {oci::Namespace::Type::network, CLONE_NEWNET, "network"},
    {oci::Namespace::Type::ipc, CLONE_NEWIPC, "IPC"},
    {oci::Namespace::Type::uts, CLONE_NEWUTS, "UTS"},
    {oci::Namespace::Type::cgroup, CLONE_NEWCGROUP, "cgroup"},
    {oci::Namespace::Type::time, CLONE_NEWTIME, "time", false},
});

struct Namespaces {
  std::uint32_t made = 0;          // CLONE_NEW* to unshare
  bool user = false, uts = false;  // whether there is one that is not the host's
};

// With a user namespace the others are joined before it: its users may have no say in them.
void plan_join(const oci::Namespace& wanted, const NamespaceRow& row, const Namespaces& all,
               PlanBuilder* plan) {
  if (all.user && row.early) return plan->join_early(wanted.fd);
  plan->add({.op = Op::join_namespace, .fd = wanted.fd, .flags = row.flag},
            fmt::format("join the {} namespace", row.name));
}

Result<void> plan_namespace(const oci::Namespace& wanted, Namespaces* all, PlanBuilder* plan) {
  using Type = oci::Namespace::Type;
  if (wanted.fd < 0 && !wanted.path.empty())
    return fail(ErrorKind::invalid_argument, "the namespace '{}' was not opened", wanted.path);
  if (wanted.type == Type::pid) {
    plan->set_pid_namespace(wanted.fd < 0, wanted.fd);
    return {};
  }
  if (wanted.type == Type::user) {
    if (wanted.fd < 0)
      return fail(ErrorKind::invalid_argument, "the user namespace has to be made beforehand");
    plan->set_user_namespace(wanted.fd);
    return {};
  }
  if (wanted.type == Type::uts) all->uts = true;
  if (wanted.type == Type::mount && wanted.fd >= 0) all->made &= ~std::uint32_t{CLONE_NEWNS};
  for (const NamespaceRow& row : kNamespaces) {
    if (row.type != wanted.type) continue;
    if (wanted.fd >= 0)
      plan_join(wanted, row, *all, plan);
    else if (wanted.type != Type::time)  // which is entered, not only made; plan_time_offsets
      all->made |= row.flag;
  }
  return {};
}

Result<void> plan_time_offsets(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  using Type = oci::Namespace::Type;
  const auto time = std::find_if(spec.namespaces.begin(), spec.namespaces.end(),
                                 [](const oci::Namespace& one) { return one.type == Type::time; });
  const bool made = time != spec.namespaces.end() && time->fd < 0;
  if (!made) {
    if (!spec.time_offsets.empty())
      return fail(ErrorKind::invalid_argument, "time offsets need a new time namespace");
    return {};
  }
  std::string lines;
  for (const auto& [clock, offset] : spec.time_offsets) {
    if (clock != "monotonic" && clock != "boottime")
      return fail(ErrorKind::invalid_argument, "the clock '{}' has no offset (monotonic and boottime have)",
                  clock);
    if (offset.nanoseconds >= 1000000000)
      return fail(ErrorKind::invalid_argument, "the offset of {} has {} nanoseconds", clock,
                  offset.nanoseconds);
    lines += fmt::format("{} {} {}\n", clock, offset.seconds, offset.nanoseconds);
  }
  plan->add({.op = Op::enter_time_namespace, .data = lines}, "enter a new time namespace");
  return {};
}

// The host's own names must not be changed.
Result<void> plan_names(const oci::RuntimeSpec& spec, const Namespaces& all, PlanBuilder* plan) {
  if ((!spec.hostname.empty() || !spec.domainname.empty()) && !all.uts)
    return fail(ErrorKind::invalid_argument, "a hostname or domainname needs a UTS namespace");
  if (!spec.hostname.empty())
    plan->add({.op = Op::set_hostname, .strings = {spec.hostname}},
              fmt::format("set the hostname '{}'", spec.hostname));
  if (!spec.domainname.empty())
    plan->add({.op = Op::set_domainname, .strings = {spec.domainname}},
              fmt::format("set the domainname '{}'", spec.domainname));
  return {};
}

// Hooks look for the root among the host's files.
bool begins_elsewhere(const oci::RuntimeSpec& spec, const StartOptions& options) {
  return spec.mounts_from >= 0 && spec.root_tree >= 0 && !options.synchronize;
}

Result<void> plan_namespaces(const oci::RuntimeSpec& spec, const StartOptions& options, PlanBuilder* plan) {
  Namespaces all = {.made = begins_elsewhere(spec, options) ? 0u : std::uint32_t{CLONE_NEWNS}};
  for (const oci::Namespace& wanted : spec.namespaces) all.user |= wanted.type == oci::Namespace::Type::user;
  for (const oci::Namespace& wanted : spec.namespaces) TRY(plan_namespace(wanted, &all, plan));
  if (all.made != 0) plan->add({.op = Op::unshare, .flags = all.made}, "make new namespaces");
  TRY(plan_time_offsets(spec, plan));
  return plan_names(spec, all, plan);
}

bool owns_network(const oci::RuntimeSpec& spec) {
  for (const oci::Namespace& wanted : spec.namespaces)
    if (wanted.type == oci::Namespace::Type::network) return wanted.fd < 0;
  return false;
}

Result<void> plan_sysctls(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  for (const auto& [name, value] : spec.sysctl) {
    if (name.find("..") != std::string::npos || name.empty() || name[0] == '/')
      return fail(ErrorKind::invalid_argument, "'{}' is no sysctl", name);
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

// What the command makes before it becomes its user, such as its terminal, belongs to the container. Not
// before it is in its cgroup, which is the host's root's to enter.
void plan_root_user(const ExecTarget& target, PlanBuilder* plan) {
  if ((target.namespaces & CLONE_NEWUSER) != 0)
    plan->add({.op = Op::become_root, .flags = init::kOptional}, "become the root of the user namespace");
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
  groups.insert(groups.end(), target.cgroup.v1_tasks.begin(), target.cgroup.v1_tasks.end());
  plan->add_row({.op = Op::supervise,
                 .flags = target.cgroup.freezer ? init::kFreezer : 0,
                 .a = target.cgroup.v1_tasks.size()},
                groups, "start the command in a cgroup of its own");
  if ((target.namespaces & CLONE_NEWCGROUP) != 0)
    plan->add({.op = Op::join_namespace, .fd = target.pidfd, .flags = CLONE_NEWCGROUP},
              "join the container's cgroup namespace");
}

// Last: a foreign mount namespace has a foreign /proc, and nothing is written there (CVE-2025-52881).
void plan_foreign_mounts(const oci::RuntimeSpec& spec, const StartOptions& options, PlanBuilder* plan) {
  if (begins_elsewhere(spec, options)) {
    plan->add({.op = Op::join_namespace, .fd = spec.mounts_from, .flags = CLONE_NEWNS},
              "join the mount namespace to begin with");
    plan->add({.op = Op::unshare, .flags = CLONE_NEWNS}, "make a mount namespace");
  }
  for (const oci::Namespace& wanted : spec.namespaces)
    if (wanted.type == oci::Namespace::Type::mount && wanted.fd >= 0)
      plan->add({.op = Op::join_namespace, .fd = wanted.fd, .flags = CLONE_NEWNS},
                "join the mount namespace");
}

}  // namespace

Result<LaunchPlan> plan_container(const oci::RuntimeSpec& spec, const StartOptions& options) {
  PlanBuilder plan;
  TRY(plan_namespaces(spec, options, &plan));
  if (owns_network(spec)) plan.add({.op = Op::raise_loopback}, "bring up the loopback interface");
  TRY(plan_sysctls(spec, &plan));
  if (has_user_namespace(spec)) TRY(plan_host_limits(spec.process, &plan));
  plan_oom_score(spec.process, &plan);
  plan_labels(spec.process, &plan);
  TRY(plan_scheduling(spec.process, &plan));
  TRY(plan_execution_domain(spec, &plan));
  plan_foreign_mounts(spec, options, &plan);
  TRY(plan_root(spec, options, &plan));
  StartOptions of_files = options;
  // What stays below is only what it began with. To pivot, the kernel looks at every process there is.
  if (begins_elsewhere(spec, options)) of_files.pivot = false;
  TRY(plan_file_system(spec, of_files, &plan));
  TRY(plan_process(spec.process,
                   {.seccomp_program = spec.seccomp_program,
                    .make_cwd = !spec.root_readonly,
                    .mapped = has_user_namespace(spec)},
                   options, &plan));
  return std::move(plan).finish();
}

Result<LaunchPlan> plan_exec(const oci::Process& process, const ExecTarget& target, int seccomp_program,
                             const StartOptions& options) {
  PlanBuilder plan;
  plan.set_pid_namespace(false, target.pid_namespace);
  // All that the host's files and privileges are needed for.
  plan_oom_score(process, &plan);
  plan_labels(process, &plan);
  TRY(plan_scheduling(process, &plan));
  TRY(plan_exec_affinity(process, &plan));
  if ((target.namespaces & CLONE_NEWUSER) != 0) TRY(plan_rlimits(process, &plan));
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
  plan_root_user(target, &plan);
  TRY(plan_process(process,
                   {.seccomp_program = seccomp_program,
                    .mapped = (target.namespaces & CLONE_NEWUSER) != 0,
                    .console_flags = init::kNoConsoleBind},
                   of_process, &plan));
  return std::move(plan).finish();
}

Result<LaunchPlan> plan_hook(const oci::Hook& hook, const ExecTarget& target) {
  PlanBuilder plan;
  plan.set_pid_namespace(false, target.pid_namespace);
  plan.add({.op = Op::join_namespace, .fd = target.pidfd, .flags = target.namespaces},
           "join the container's namespaces");
  oci::Process process;
  process.args = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
  process.env = hook.env;
  plan_execute(process, {hook.path}, &plan);
  return std::move(plan).finish();
}

}  // namespace fermata::runtime
