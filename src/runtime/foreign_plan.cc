#include "runtime/foreign_plan.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>

#include <utility>

#include "runtime/plan_builder.h"
#include "runtime/plan_mounts.h"

namespace fermata::runtime {
namespace {

using init::Op;

void plan_commands(const ForeignCommands& commands, PlanBuilder* plan) {
  plan->add({.op = Op::change_directory, .strings = {"/"}}, "leave the layers");
  PlannedOp op = {
      .op = Op::run_foreign, .fd = commands.console_socket, .strings = {commands.pid_file, commands.group}};
  for (const auto* command : {&commands.make, &commands.start}) {
    if (command->empty()) continue;
    if (op.strings.size() > 2) op.strings.emplace_back();
    op.strings.insert(op.strings.end(), command->begin(), command->end());
  }
  plan->add(op, fmt::format("let '{}' make the process", commands.program));
}

}  // namespace

std::string foreign_mount(std::size_t index) { return fmt::format("mounts/{}", index); }

Result<LaunchPlan> plan_foreign_container(const oci::RuntimeSpec& spec, const std::string& bundle,
                                          const ForeignCommands& commands) {
  PlanBuilder plan;
  plan.add({.op = Op::unshare, .flags = CLONE_NEWNS}, "make a mount namespace");
  oci::RuntimeSpec root = spec;
  root.mount_point = bundle + "/" + kForeignRoot;
  // What the host mounts later is seen; what the runtime mounts stays here.
  root.rootfs_propagation = "rslave";
  // By its path, for the runtime looks there.
  StartOptions options;
  options.synchronize = true;
  TRY(plan_root(root, options, &plan));
  plan.add({.op = Op::open_root, .strings = {bundle}}, fmt::format("open the bundle '{}'", bundle));
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    const oci::Mount& mount = spec.mounts[i];
    if (mount.tree < 0) continue;
    plan.add(
        {.op = Op::attach_mount,
         .fd = mount.tree,
         .a = static_cast<std::uint64_t>(mount.file_target ? init::Target::file : init::Target::directory),
         .strings = {"/" + foreign_mount(i)}},
        fmt::format("attach what is to be mounted at '{}'", mount.destination));
  }
  plan_commands(commands, &plan);
  return std::move(plan).finish();
}

Result<LaunchPlan> plan_foreign_exec(const ForeignCommands& commands) {
  PlanBuilder plan;
  plan.add({.op = Op::unshare, .flags = CLONE_NEWNS}, "make a mount namespace");
  plan.add({.op = Op::set_propagation, .flags = MS_SLAVE | MS_REC}, "cut the mounts off from the host's");
  plan_commands(commands, &plan);
  return std::move(plan).finish();
}

}  // namespace fermata::runtime
