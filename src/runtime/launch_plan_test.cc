#include "runtime/launch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>

#include "runtime/read_plan.h"

namespace fermata::runtime {
namespace {

using init::Op;
using testing::ElementsAre;
using testing::HasSubstr;

oci::RuntimeSpec minimal() {
  oci::RuntimeSpec spec;
  spec.process.args = {"sh", "-c", "true"};
  spec.process.env = {"A=1", "PATH=/usr/bin::/bin"};
  spec.mount_point = "/run/root";
  spec.overlay = oci::RuntimeSpec::Overlay{{"top", "a:b"}, "/layers", "/c/upper", "/c/work"};
  return spec;
}

TEST(PlanContainer, MinimalOneInOrder) {
  const auto ops = read_ops(plan_of(minimal()));
  EXPECT_THAT(kinds(ops), ElementsAre(Op::unshare, Op::set_propagation, Op::change_directory, Op::mount_root,
                                      Op::open_root, Op::pivot_root, Op::new_session_keyring, Op::new_session,
                                      Op::set_current_directory, Op::set_credentials,
                                      Op::set_parent_death_signal, Op::execute));
  EXPECT_EQ(ops[0].flags, static_cast<std::uint32_t>(CLONE_NEWNS));
  EXPECT_EQ(ops[1].flags, static_cast<std::uint32_t>(MS_PRIVATE | MS_REC));
}

TEST(PlanContainer, OverlayNamesAreRelativeAndEscaped) {
  const auto ops = read_ops(plan_of(minimal()));
  EXPECT_THAT(find(ops, Op::change_directory).strings, ElementsAre("/layers"));
  EXPECT_THAT(find(ops, Op::mount_root).strings,
              ElementsAre("overlay", "overlay", "/run/root",
                          "lowerdir=top:a\\:b,upperdir=/c/upper,workdir=/c/work,index=off"));
}

TEST(PlanContainer, OverlayHasTheLabelOfMounts) {
  auto spec = minimal();
  spec.mount_label = "system_u:object_r:container_file_t:s0:c1,c2";
  EXPECT_THAT(find(read_ops(plan_of(spec)), Op::mount_root).strings[3],
              HasSubstr(",context=\"system_u:object_r:container_file_t:s0:c1,c2\""));
}

TEST(PlanContainer, SingleReadOnlyLayerIsBound) {
  auto spec = minimal();
  spec.overlay->lower = {"only"};
  spec.overlay->upper.clear();
  const auto root = find(read_ops(plan_of(spec)), Op::mount_root);
  EXPECT_EQ(root.flags, static_cast<std::uint32_t>(MS_BIND | MS_REC));
  EXPECT_EQ(root.strings[1], "only");
}

TEST(PlanContainer, TooManyLayersAreRefusedNotCutOff) {
  auto spec = minimal();
  spec.overlay->lower.assign(300, "0123456789abcdef");
  EXPECT_THAT(error_of(spec), HasSubstr("300 layers are too many"));
}

TEST(PlanContainer, NamespacesAreJoinedOrMade) {
  auto spec = minimal();
  spec.hostname = "h";
  spec.namespaces = {{oci::Namespace::Type::network, 40}, {oci::Namespace::Type::ipc, -1},
                     {oci::Namespace::Type::uts, -1},     {oci::Namespace::Type::cgroup, -1},
                     {oci::Namespace::Type::pid, 41},     {oci::Namespace::Type::mount, -1}};
  const auto plan = plan_of(spec);
  const auto ops = read_ops(plan);
  EXPECT_EQ(ops[0].op, Op::join_namespace);
  EXPECT_EQ(ops[0].flags, static_cast<std::uint32_t>(CLONE_NEWNET));
  EXPECT_EQ(ops[1].flags,
            static_cast<std::uint32_t>(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP));
  EXPECT_THAT(ops[2].strings, ElementsAre("h"));
  EXPECT_THAT(plan.slots, ElementsAre(40));
  EXPECT_EQ(plan.pid_namespace, 41);
  EXPECT_FALSE(plan.new_pid_namespace);
}

// Where nothing of the host's files is needed they are not copied.
TEST(PlanContainer, MayBeginInAnotherMountNamespace) {
  auto spec = minimal();
  spec.overlay.reset();
  spec.root_tree = 7;
  spec.mounts_from = 8;
  spec.sysctl = {{"kernel.shm_rmid_forced", "1"}};
  const auto ops = read_ops(plan_of(spec));
  // What is written to the host's /proc comes before.
  const auto order = kinds(ops);
  const auto at = [&](Op op) { return std::find(order.begin(), order.end(), op) - order.begin(); };
  EXPECT_LT(at(Op::write_kernel_file), at(Op::join_namespace));
  EXPECT_LT(at(Op::join_namespace), at(Op::unshare));
  EXPECT_LT(at(Op::unshare), at(Op::attach_root));
  EXPECT_EQ(find(ops, Op::unshare).flags, static_cast<std::uint32_t>(CLONE_NEWNS));
  EXPECT_EQ(find(ops, Op::pivot_root).flags, init::kMoveRoot);
  // Hooks need them.
  const auto with_hooks = runtime::plan_container(spec, {.synchronize = true});
  ASSERT_TRUE(with_hooks);
  EXPECT_THAT(kinds(read_ops(*with_hooks)), testing::Not(testing::Contains(Op::join_namespace)));
}

TEST(PlanContainer, LoopbackIsRaisedInANewNetworkOnly) {
  auto spec = minimal();
  const auto raised = [&] {
    const auto plan = plan_of(spec);
    return std::count(plan.ops.begin(), plan.ops.end(), Op::raise_loopback);
  };
  EXPECT_EQ(raised(), 0);
  spec.namespaces = {{oci::Namespace::Type::network, 40}};
  EXPECT_EQ(raised(), 0);
  spec.namespaces = {{oci::Namespace::Type::network, -1}};
  EXPECT_EQ(raised(), 1);
}

TEST(PlanContainer, SysctlsArePathsBelowProcSys) {
  auto spec = minimal();
  spec.sysctl = {{"net.ipv4.ip_forward", "1"}};
  spec.namespaces = {{oci::Namespace::Type::network, 40}};
  EXPECT_EQ(find(read_ops(plan_of(spec)), Op::write_kernel_file).strings[0], "/proc/sys/net/ipv4/ip_forward");
  spec.sysctl = {{"kernel.../../x", "1"}};
  EXPECT_THAT(error_of(spec), HasSubstr("is no sysctl"));
}

TEST(PlanContainer, MountsDevicesAndCovers) {
  auto spec = minimal();
  spec.mounts = {
      {.destination = "/proc", .type = "proc", .source = "proc", .options = {"nosuid", "noexec"}},
      {.destination = "/dev/", .type = "tmpfs", .source = "tmpfs", .options = {"mode=755", "strictatime"}},
      {.destination = "/dev/pts", .type = "devpts", .source = "devpts"},
      {.destination = "/etc/hosts", .source = "hosts", .tree = 50, .file_target = true},
      {.destination = "/ro", .type = "tmpfs", .source = "tmpfs", .options = {"ro"}}};
  spec.devices = {{.path = "/dev/null", .major = 1, .minor = 3}};
  spec.masked_paths = {"/proc/kcore"};
  spec.readonly_paths = {"/proc/sys"};
  spec.root_readonly = true;
  const auto ops = read_ops(plan_of(spec));
  const auto proc = find(ops, Op::mount);
  EXPECT_THAT(proc.strings, ElementsAre("proc", "/proc", "proc", ""));
  EXPECT_EQ(proc.flags, static_cast<std::uint32_t>(MS_NOSUID | MS_NOEXEC));
  const auto hosts = find(ops, Op::attach_mount);
  EXPECT_EQ(hosts.a, static_cast<std::uint64_t>(init::Target::file));
  EXPECT_EQ(hosts.slot, 0);
  const auto null = find(ops, Op::make_node);
  EXPECT_EQ(null.a, static_cast<std::uint64_t>(S_IFCHR | 0666));
  EXPECT_EQ(null.b, makedev(1, 3));
  // Written to first, then read-only: the tmpfs and the root.
  EXPECT_THAT(find(ops, Op::remount).strings, ElementsAre("/ro"));
  EXPECT_LT(position(ops, Op::remount), position(ops, Op::mask_path));
  EXPECT_LT(position(ops, Op::mask_path), position(ops, Op::pivot_root));
  EXPECT_EQ(ops[position(ops, Op::pivot_root) + 1].op, Op::remount);
  EXPECT_EQ(find(ops, Op::set_current_directory).a, 0u);
}

TEST(PlanContainer, NothingIsMountedOverProcOrRoot) {
  for (const char* destination :
       {"/proc", "/proc/sys", "//proc/./sys", "/", "/.", "relative", "/a/../proc"}) {
    auto spec = minimal();
    spec.mounts = {{.destination = destination, .type = "bind", .source = "/x"}};
    EXPECT_NE(error_of(spec), "") << destination;
  }
}

TEST(PlanContainer, SearchesPathAndPassesArguments) {
  const auto execute = find(read_ops(plan_of(minimal())), Op::execute);
  EXPECT_EQ(execute.a, 3u);
  EXPECT_EQ(execute.b, 3u);
  EXPECT_THAT(execute.strings, ElementsAre("/usr/bin/sh", "./sh", "/bin/sh", "sh", "-c", "true", "A=1",
                                           "PATH=/usr/bin::/bin"));
  auto spec = minimal();
  spec.process.args = {"/x/y"};
  EXPECT_EQ(find(read_ops(plan_of(spec)), Op::execute).a, 1u);
  spec.process.args = {};
  EXPECT_THAT(error_of(spec), HasSubstr("no command"));
  spec.process.args = {std::string("a\0b", 3)};
  EXPECT_THAT(error_of(spec), HasSubstr("NUL"));
}

TEST(PlanContainer, CredentialsAndLimits) {
  auto spec = minimal();
  spec.process.user = {.uid = 5, .gid = 6, .umask = 027, .additional_gids = {6, 7}};
  spec.process.capabilities.bounding = {"CAP_CHOWN", "CAP_KILL"};
  spec.process.rlimits = {{"RLIMIT_NOFILE", 10, 20}};
  spec.process.oom_score_adj = -5;
  const auto ops = read_ops(plan_of(spec));
  const auto data = find(ops, Op::set_credentials).data;
  init::Credentials credentials;
  ASSERT_EQ(data.size(), sizeof credentials + 8);
  std::memcpy(&credentials, data.data(), sizeof credentials);
  EXPECT_EQ(credentials.uid, 5u);
  EXPECT_EQ(credentials.umask, 027u);
  EXPECT_EQ(credentials.group_count, 2u);
  EXPECT_EQ(credentials.bounding, 1u | 1u << 5);
  EXPECT_EQ(find(ops, Op::set_rlimit).flags, init::kOptional);
  EXPECT_EQ(static_cast<std::int64_t>(find(ops, Op::set_oom_score_adj).a), -5);
  EXPECT_EQ(find(ops, Op::set_oom_score_adj).flags, init::kOptional);
  spec.process.rlimits = {{"RLIMIT_NOFILE", 30, 20}};
  EXPECT_THAT(error_of(spec), HasSubstr("above the hard limit"));
}

TEST(PlanExec, JoinsThenBecomesTheUser) {
  oci::Process process;
  process.args = {"/bin/ls"};
  process.terminal = true;
  const auto plan =
      plan_exec(process, {.pidfd = 9, .pid_namespace = 8, .namespaces = CLONE_NEWNS | CLONE_NEWNET}, -1);
  ASSERT_TRUE(plan);
  const auto ops = read_ops(*plan);
  EXPECT_THAT(kinds(ops), ElementsAre(Op::join_namespace, Op::new_session_keyring, Op::new_session,
                                      Op::open_console, Op::set_current_directory, Op::set_credentials,
                                      Op::set_parent_death_signal, Op::execute));
  EXPECT_EQ(ops[0].flags, static_cast<std::uint32_t>(CLONE_NEWNS | CLONE_NEWNET));
  EXPECT_EQ(ops[3].flags, init::kNoConsoleBind);
  EXPECT_EQ(plan->pid_namespace, 8);
}

TEST(PlanExec, ASupervisorStaysOutsideOfTheCommandsGroupAndItsNamespace) {
  oci::Process process;
  process.args = {"/bin/ls"};
  const auto plan = plan_exec(process,
                              {.pidfd = 9,
                               .pid_namespace = 8,
                               .namespaces = CLONE_NEWNS | CLONE_NEWCGROUP,
                               .cgroup = {.directory = 20, .freezer = false, .v1_tasks = {21, 22}}},
                              -1);
  ASSERT_TRUE(plan);
  const auto ops = read_ops(*plan);
  EXPECT_THAT(kinds(ops), ElementsAre(Op::new_session_keyring, Op::join_namespace, Op::supervise,
                                      Op::join_namespace, Op::new_session, Op::set_current_directory,
                                      Op::set_credentials, Op::set_parent_death_signal, Op::execute));
  EXPECT_EQ(ops[1].flags, static_cast<std::uint32_t>(CLONE_NEWNS));
  EXPECT_EQ(ops[3].flags, static_cast<std::uint32_t>(CLONE_NEWCGROUP));
  EXPECT_EQ(ops[2].slot, 1);
  EXPECT_EQ(ops[2].a, 2u);
  EXPECT_THAT(plan->slots, ElementsAre(9, 20, 21, 22));
}

// What is seen of a process that has just ended: it must not become a command on the host.
TEST(PlanExec, EntersTheGroupAsTheHostsRootAndMakesTheTerminalAsTheContainers) {
  oci::Process process;
  process.args = {"/bin/ls"};
  process.terminal = true;
  const auto plan = plan_exec(process,
                              {.pidfd = 9,
                               .pid_namespace = 8,
                               .namespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWCGROUP,
                               .cgroup = {.directory = 20, .freezer = false, .v1_tasks = {}}},
                              -1);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->user_namespace, -1);  // not born in it: what shows its memory was executed outside
  EXPECT_THAT(kinds(read_ops(*plan)),
              ElementsAre(Op::new_session_keyring, Op::join_namespace, Op::supervise, Op::join_namespace,
                          Op::become_root, Op::new_session, Op::open_console, Op::set_current_directory,
                          Op::set_credentials, Op::set_parent_death_signal, Op::execute));
}

TEST(PlanExec, RefusesToStayInTheHostsMountNamespace) {
  oci::Process process;
  process.args = {"/bin/ls"};
  EXPECT_FALSE(plan_exec(process, {.pidfd = 9, .pid_namespace = 8, .namespaces = 0}, -1));
  EXPECT_FALSE(plan_exec(process, {.pidfd = 9, .pid_namespace = 8, .namespaces = CLONE_NEWNET}, -1));
}

TEST(ExplainFailure, InDockersWords) {
  const auto plan = plan_of(minimal());
  const auto execute = static_cast<std::uint32_t>(plan.descriptions.size() - 1);
  const auto explain = [&](const char* program, int error) {
    const auto failure = explain_failure(plan, {program}, execute, error);
    return std::to_string(failure.exit_code) + " " + failure.message;
  };
  EXPECT_EQ(explain("foo", ENOENT), "127 exec: \"foo\": executable file not found in $PATH");
  EXPECT_EQ(explain("/foo", ENOENT), "127 exec: \"/foo\": stat /foo: no such file or directory");
  EXPECT_EQ(explain("/etc/passwd", EACCES), "126 exec: \"/etc/passwd\": permission denied");
  EXPECT_EQ(explain("/x", ENOEXEC), "126 exec /x: exec format error");
  EXPECT_THAT(explain("/x", ELIBACC), HasSubstr("127 exec /x: no such file or directory"));
  const auto cwd = explain_failure(
      plan, {"x"}, static_cast<std::uint32_t>(position(read_ops(plan), Op::set_current_directory)), ENOENT);
  EXPECT_EQ(cwd.exit_code, 127);
  EXPECT_EQ(cwd.message, "chdir to cwd (\"/\") failed: no such file or directory");
  EXPECT_EQ(explain_failure(plan, {"x"}, 1, EPERM).exit_code, 125);
  EXPECT_EQ(explain_failure(plan, {"x"}, 0xffffffff, EINVAL).exit_code, 125);
}

}  // namespace
}  // namespace fermata::runtime
