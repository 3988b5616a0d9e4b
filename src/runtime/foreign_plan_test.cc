#include "runtime/foreign_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::runtime {
namespace {

using init::Op;
using testing::ElementsAre;

ForeignCommands commands() {
  return {.program = "/usr/bin/crun",
          .make = {"/usr/bin/crun", "create", "x"},
          .start = {"/usr/bin/crun", "start", "x"},
          .pid_file = "/run/b/pid",
          .group = "/sys/fs/cgroup/g"};
}

TEST(ForeignPlan, MountsBesideTheHostAndExecutesTheRuntime) {
  oci::RuntimeSpec spec;
  spec.overlay = {.lower = {"a", "b"}, .layers_directory = "/layers", .upper = "/c/upper", .work = "/c/work"};
  spec.mounts = {{.destination = "/proc", .type = "proc"},
                 {.destination = "/data", .type = "bind", .tree = 9},
                 {.destination = "/etc/hosts", .type = "bind", .tree = 10, .file_target = true}};
  const auto plan = plan_foreign_container(spec, "/run/b", commands());
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_THAT(plan->ops, ElementsAre(Op::unshare, Op::set_propagation, Op::change_directory, Op::mount_root,
                                     Op::open_root, Op::open_root, Op::attach_mount, Op::attach_mount,
                                     Op::change_directory, Op::run_foreign));
  EXPECT_THAT(plan->slots, ElementsAre(9, 10));
  EXPECT_NE(plan->bytes.find("/run/b/rootfs"), std::string::npos);
  EXPECT_NE(plan->bytes.find("/mounts/2"), std::string::npos);
  EXPECT_FALSE(plan->new_pid_namespace);
}

TEST(ForeignPlan, ATerminalComesByASlot) {
  ForeignCommands exec = commands();
  exec.start.clear();
  exec.console_socket = 12;
  const auto plan = plan_foreign_exec(exec);
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_THAT(plan->ops,
              ElementsAre(Op::unshare, Op::set_propagation, Op::change_directory, Op::run_foreign));
  EXPECT_THAT(plan->slots, ElementsAre(12));
}

}  // namespace
}  // namespace fermata::runtime
