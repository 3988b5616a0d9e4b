#include "runtime/plan_attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include "runtime/read_plan.h"

namespace fermata::runtime {
namespace {

using init::Op;
using testing::ElementsAre;
using testing::HasSubstr;
using Type = oci::Namespace::Type;

oci::RuntimeSpec minimal() {
  oci::RuntimeSpec spec;
  spec.process.args = {"/bin/true"};
  spec.root_tree = 30;
  return spec;
}

TEST(PlanScheduling, TakesEveryPolicyWithItsFields) {
  auto spec = minimal();
  spec.process.scheduler = oci::Scheduler{.policy = "SCHED_DEADLINE",
                                          .flags = {"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"},
                                          .runtime = 1,
                                          .deadline = 2,
                                          .period = 3};
  spec.process.io_priority = oci::IoPriority{"IOPRIO_CLASS_IDLE", 7};
  auto ops = read_ops(plan_of(spec));
  const auto attributes = value_of<init::SchedulerAttributes>(find(ops, Op::set_scheduler));
  EXPECT_EQ(attributes.size, 48u);
  EXPECT_EQ(attributes.policy, 6u);
  EXPECT_EQ(attributes.flags, 3u);
  EXPECT_EQ(attributes.period, 3u);
  EXPECT_EQ(find(ops, Op::set_io_priority).a, 3u << 13 | 7u);
  EXPECT_LT(position(ops, Op::set_scheduler), position(ops, Op::set_credentials));
  for (const char* policy : {"SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE", "SCHED_ISO"}) {
    spec.process.scheduler = oci::Scheduler{.policy = policy, .nice = 5};
    EXPECT_EQ(error_of(spec), "") << policy;
  }
}

TEST(PlanScheduling, RefusesWhatAPolicyDoesNotHave) {
  const auto error = [](const oci::Scheduler& scheduler) {
    auto spec = minimal();
    spec.process.scheduler = scheduler;
    return error_of(spec);
  };
  EXPECT_THAT(error({.policy = "SCHED_FAST"}), HasSubstr("unknown scheduling policy 'SCHED_FAST'"));
  EXPECT_THAT(error({.policy = "SCHED_FIFO"}), HasSubstr("needs a priority between 1 and 99"));
  EXPECT_THAT(error({.policy = "SCHED_OTHER", .priority = 1}), HasSubstr("has no priority"));
  EXPECT_THAT(error({.policy = "SCHED_OTHER", .nice = 20}), HasSubstr("nice 20 is not between"));
  EXPECT_THAT(error({.policy = "SCHED_RR", .priority = 1, .runtime = 1}), HasSubstr("has no runtime"));
  EXPECT_THAT(error({.policy = "SCHED_OTHER", .flags = {"FLAG"}}), HasSubstr("unknown scheduling flag"));
  auto spec = minimal();
  spec.process.io_priority = oci::IoPriority{"IOPRIO_CLASS_BE", 8};
  EXPECT_THAT(error_of(spec), HasSubstr("is not between 0 and 7"));
}

TEST(PlanAttributes, MemoryPolicyAndPersonality) {
  auto spec = minimal();
  spec.memory_policy = oci::MemoryPolicy{"MPOL_BIND", "0-1", {"MPOL_F_STATIC_NODES"}};
  spec.personality = "LINUX32";
  const auto ops = read_ops(plan_of(spec));
  EXPECT_EQ(find(ops, Op::set_memory_policy).a, 2u | 1u << 15);
  EXPECT_EQ(find(ops, Op::set_memory_policy).data, std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(find(ops, Op::set_personality).a, 8u);
  spec.personality = "BSD";
  EXPECT_THAT(error_of(spec), HasSubstr("unknown personality 'BSD'"));
}

TEST(PlanAttributes, BitLists) {
  EXPECT_EQ(parse_bit_list("0, 3-4,9").value(), std::string("\x19\2\0\0\0\0\0\0", 8));
  EXPECT_EQ(parse_bit_list("64").value().size(), 16u);
  for (const char* list : {"", "a", "3-1", "1-", "-1", "1,,2", "8192", "0-99999999999"})
    EXPECT_FALSE(parse_bit_list(list)) << list;
}

TEST(PlanAttributes, LabelsAreWrittenWhileTheHostsProcIsInSight) {
  auto spec = minimal();
  spec.process.apparmor_profile = "profile";
  const auto ops = read_ops(plan_of(spec));
  EXPECT_EQ(find(ops, Op::write_kernel_file).data, "exec profile");
  EXPECT_LT(position(ops, Op::write_kernel_file), position(ops, Op::set_propagation));
  spec.process.apparmor_profile.clear();
  spec.process.selinux_label = "label";
  EXPECT_THAT(find(read_ops(plan_of(spec)), Op::write_kernel_file).strings,
              ElementsAre("/proc/self/attr/exec"));
}

TEST(PlanAttributes, AffinityIsForThoseWhoJoin) {
  oci::Process process;
  process.args = {"/bin/true"};
  process.exec_cpu_affinity = {"0-1", "1"};
  const auto plan = plan_exec(process, {.pidfd = 9, .pid_namespace = 8, .namespaces = CLONE_NEWNS}, -1);
  ASSERT_TRUE(plan);
  const auto ops = read_ops(*plan);
  EXPECT_EQ(ops[0].op, Op::set_cpu_affinity);
  EXPECT_EQ(ops[0].flags, init::kOptional);
  EXPECT_EQ(ops[1].data[0], '\2');
  auto spec = minimal();
  spec.process = process;
  EXPECT_FALSE(has(read_ops(plan_of(spec)), Op::set_cpu_affinity));
}

TEST(PlanNamespaces, TimeIsEnteredWithItsOffsets) {
  auto spec = minimal();
  spec.namespaces = {{Type::time}};
  spec.time_offsets = {{"boottime", {5, 0}}, {"monotonic", {-3, 7}}};
  const auto ops = read_ops(plan_of(spec));
  EXPECT_EQ(find(ops, Op::enter_time_namespace).data, "boottime 5 0\nmonotonic -3 7\n");
  EXPECT_EQ(find(ops, Op::unshare).flags, static_cast<std::uint32_t>(CLONE_NEWNS));
  spec.time_offsets = {{"realtime", {1, 0}}};
  EXPECT_THAT(error_of(spec), HasSubstr("the clock 'realtime' has no offset"));
  spec.time_offsets = {{"monotonic", {1, 1000000000}}};
  EXPECT_THAT(error_of(spec), HasSubstr("nanoseconds"));
  spec.namespaces = {{Type::time, 44}};
  EXPECT_THAT(error_of(spec), HasSubstr("need a new time namespace"));
  spec.time_offsets.clear();
  EXPECT_EQ(find(read_ops(plan_of(spec)), Op::join_namespace).flags,
            static_cast<std::uint32_t>(CLONE_NEWTIME));
}

TEST(PlanNamespaces, TheHostsNamesAreNotChanged) {
  auto spec = minimal();
  spec.domainname = "domain";
  EXPECT_THAT(error_of(spec), HasSubstr("needs a UTS namespace"));
  spec.namespaces = {{Type::uts}};
  EXPECT_THAT(find(read_ops(plan_of(spec)), Op::set_domainname).strings, ElementsAre("domain"));
  spec.namespaces = {{Type::uts, -1, "/proc/1/ns/uts"}};
  EXPECT_THAT(error_of(spec), HasSubstr("'/proc/1/ns/uts' was not opened"));
}

TEST(PlanNamespaces, MountNamespaceCanBeJoined) {
  auto spec = minimal();
  spec.namespaces = {{Type::mount, 44}};
  const auto ops = read_ops(plan_of(spec));
  EXPECT_EQ(ops[0].flags, static_cast<std::uint32_t>(CLONE_NEWNS));
  EXPECT_EQ(ops[0].op, Op::join_namespace);
  EXPECT_FALSE(has(ops, Op::unshare));
}

TEST(PlanUserNamespace, JoinsOthersBeforeAndBindsDevices) {
  auto spec = minimal();
  spec.namespaces = {{Type::network, 41}, {Type::user, 40}, {Type::pid}, {Type::time, 42}};
  spec.gid_mappings = {{0, 1000, 5}};
  spec.devices = {{.path = "/dev/null", .major = 1, .minor = 3}, {.path = "/dev/pipe", .type = 'p'}};
  spec.mounts = {{.destination = "/dev/pts",
                  .type = "devpts",
                  .source = "devpts",
                  .options = {"newinstance", "gid=5", "mode=0620"}}};
  auto plan = plan_of(spec);
  EXPECT_EQ(plan.user_namespace, 40);
  EXPECT_TRUE(plan.new_pid_namespace);
  EXPECT_THAT(plan.joined_namespaces, ElementsAre(41));
  auto ops = read_ops(plan);
  EXPECT_EQ(find(ops, Op::join_namespace).flags, static_cast<std::uint32_t>(CLONE_NEWTIME));
  EXPECT_EQ(find(ops, Op::mount).strings[3], "newinstance,mode=0620");
  EXPECT_EQ(find(ops, Op::make_node).flags, init::kHostNode);
  EXPECT_EQ(ops[position(ops, Op::make_node) + 1].flags, 0u);
  EXPECT_EQ(find(ops, Op::set_credentials).flags, init::kKeepGroups);
  spec.gid_mappings = {{0, 1000, 6}};
  EXPECT_EQ(find(read_ops(plan_of(spec)), Op::mount).strings[3], "newinstance,gid=5,mode=0620");
  spec.process.rlimits = {{"RLIMIT_NOFILE", 10, 20}};
  spec.process.oom_score_adj = -7;
  plan = plan_of(spec);
  ASSERT_EQ(plan.limits.size(), 1u);
  EXPECT_EQ(plan.limits[0].hard, 20u);
  EXPECT_EQ(plan.oom_score_adj, -7);
  spec.root_tree = -1;
  spec.root_path = "/x";
  EXPECT_THAT(error_of(spec), HasSubstr("has to be opened beforehand"));
  spec.namespaces = {{Type::user}};
  EXPECT_THAT(error_of(spec), HasSubstr("has to be made beforehand"));
}

TEST(PlanCredentials, WhatCannotBeGrantedIsLeftOutWithANote) {
  auto spec = minimal();
  const std::vector<std::string> names = {"CAP_CHOWN", "CAP_FLY", "CAP_SYS_RESOURCE"};
  spec.process.capabilities = {names, names, {"CAP_CHOWN"}, names, {"CAP_CHOWN", "CAP_KILL"}};
  const auto plan = plan_of(spec, {.grantable_capabilities = ~(std::uint64_t{1} << 24)});
  const auto credentials = value_of<init::Credentials>(find(read_ops(plan), Op::set_credentials));
  EXPECT_EQ(credentials.bounding, 1u);
  EXPECT_EQ(credentials.ambient, 1u);
  EXPECT_THAT(plan.skipped,
              ElementsAre(HasSubstr("capability CAP_FLY"), HasSubstr("capability CAP_SYS_RESOURCE"),
                          HasSubstr("ambient capabilities CAP_KILL")));
}

TEST(PlanMounts, LabelsAndPreparedTrees) {
  auto spec = minimal();
  spec.mount_label = "system_u:object_r:c1,c2";
  spec.mounts = {{.destination = "/proc", .type = "proc"},
                 {.destination = "/t", .type = "tmpfs", .options = {"size=1m"}}};
  const auto ops = read_ops(plan_of(spec));
  EXPECT_EQ(ops[position(ops, Op::mount) + 1].strings[3], "size=1m,context=\"system_u:object_r:c1,c2\"");
  EXPECT_EQ(find(ops, Op::mount).strings[3], "");
  spec.mounts = {{.destination = "/proc", .type = "proc", .tree = 50}};
  EXPECT_EQ(error_of(spec), "");
  spec.mounts = {{.destination = "/proc", .type = "bind", .tree = 50}};
  EXPECT_THAT(error_of(spec), HasSubstr("inside /proc"));
  spec.mounts = {{.destination = "/t", .type = "tmpfs", .options = {"tmpcopyup"}}};
  EXPECT_THAT(error_of(spec), HasSubstr("was not opened beforehand"));
}

TEST(PlanMounts, RootIsOverSlashUnlessHooksLookForIt) {
  auto spec = minimal();
  spec.mount_point = "/run/root";
  EXPECT_THAT(find(read_ops(plan_of(spec)), Op::attach_root).strings, ElementsAre("/"));
  EXPECT_THAT(find(read_ops(plan_of(spec, {.synchronize = true})), Op::attach_root).strings,
              ElementsAre("/run/root"));
  spec.rootfs_propagation = "unbindable";
  const auto ops = read_ops(plan_of(spec, {.pivot = false}));
  EXPECT_EQ(find(ops, Op::pivot_root).flags, init::kMoveRoot);
  EXPECT_EQ(ops[position(ops, Op::pivot_root) + 1].flags, static_cast<std::uint32_t>(MS_UNBINDABLE));
}

}  // namespace
}  // namespace fermata::runtime
