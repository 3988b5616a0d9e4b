// fermata-init on the real kernel: containers as the engine plans them, their isolation, their failures.
// Needs root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "kernel/mounts.h"
#include "kernel/support/init_process.h"
#include "kernel/support/outcome.h"

namespace fermata {
namespace {

using test::BusyboxRoot;
using test::InitProcess;
using test::Outcome;
using test::run;
using test::slurp;
using test::status_line;
using testing::HasSubstr;
using testing::Not;

// For what must not start.
Outcome run_failing(const oci::RuntimeSpec& spec) {
  Outcome outcome = test::attempt(spec);
  EXPECT_NE(outcome.failed, "");
  EXPECT_EQ(outcome.exit_code, 125);
  return outcome;
}

TEST(Init, StartsAContainerWithDefaultMounts) {
  const BusyboxRoot root;
  const std::string before = slurp("/proc/self/mountinfo");
  auto spec = root.spec(
      "echo $$; hostname; cat /proc/mounts; ls /dev; echo data > /tmp/file; head -c 2 /dev/zero | ls -l "
      "/proc/self/exe");
  spec.hostname = "inside";
  const auto outcome = run(spec);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, testing::StartsWith("1\ninside\n"));
  for (const char* mount :
       {"overlay / overlay", " /proc proc", " /dev tmpfs", " /dev/pts devpts", " /dev/mqueue mqueue",
        " /sys sysfs ro", "null", "zero", "urandom", "ptmx", "stdin", "core"})
    EXPECT_THAT(outcome.output, HasSubstr(mount));
  EXPECT_THAT(outcome.output, Not(HasSubstr(root.path() + "/root")));
  EXPECT_EQ(slurp(root.path() + "/upper/tmp/file"), "data\n");
  EXPECT_EQ(slurp("/proc/self/mountinfo"), before);
}

TEST(Init, LeavesNoMountOnTheHostWhileItRuns) {
  const BusyboxRoot root;
  const std::string before = slurp("/proc/self/mountinfo");
  const auto plan = runtime::plan_container(root.spec("echo up; sleep 100"));
  ASSERT_TRUE(plan);
  InitProcess process(*plan);
  ASSERT_TRUE(process.started()) << process.failed_operation();
  EXPECT_EQ(process.some_output(), "up\n");
  EXPECT_EQ(slurp("/proc/self/mountinfo"), before);
}

TEST(Init, MasksAndProtectsPaths) {
  const BusyboxRoot root;
  const auto outcome = run(
      root.spec("cat /proc/kcore | head -c 10; ls /proc/acpi /sys/firmware; stat -c %t:%T /proc/timer_list;"
                "echo 1 > /proc/sys/kernel/panic; echo b > /proc/sysrq-trigger; touch /sys/firmware/x; mount "
                "| grep /proc/sys"));
  EXPECT_THAT(outcome.output, HasSubstr("1:3"));
  EXPECT_THAT(outcome.output, HasSubstr("/proc/sys/kernel/panic: Read-only file system"));
  // A kernel may be built without it.
  if (::access("/proc/sysrq-trigger", F_OK) == 0) {
    EXPECT_THAT(outcome.output, HasSubstr("/proc/sysrq-trigger: Read-only file system"));
  }
  EXPECT_THAT(outcome.output, HasSubstr("/sys/firmware/x: Read-only file system"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("dsdt")));
}

TEST(Init, ReadOnlyRootGetsItsMountPointsFirst) {
  const BusyboxRoot root;
  auto spec =
      root.spec("touch /x; touch /tmp/y && echo tmp-writable; ls -d /new/dir; readlink /proc/self/cwd");
  spec.root_readonly = true;
  spec.process.cwd = "/start/dir";
  spec.mounts.push_back({.destination = "/new/dir", .type = "tmpfs", .source = "tmpfs"});
  spec.mounts.push_back({.destination = "/tmp", .type = "tmpfs", .source = "tmpfs"});
  const auto outcome = run(spec);
  EXPECT_THAT(outcome.output, HasSubstr("/x: Read-only file system"));
  EXPECT_THAT(outcome.output, HasSubstr("tmp-writable"));
  EXPECT_THAT(outcome.output, HasSubstr("/new/dir\n/start/dir\n"));
}

TEST(Init, BecomesTheUserWithItsCapabilities) {
  const BusyboxRoot root;
  auto spec = root.spec("cat /proc/self/status; id; echo reopened > /dev/stdout");
  spec.process.user = {.uid = 1000, .gid = 1001, .umask = 077, .additional_gids = {1001, 7}};
  spec.process.no_new_privileges = true;
  spec.process.capabilities.ambient = {"CAP_NET_BIND_SERVICE"};
  spec.process.capabilities.inheritable = {"CAP_NET_BIND_SERVICE"};
  const auto outcome = run(spec);
  const std::string& status = outcome.output;
  EXPECT_EQ(status_line(status, "Uid"), "1000\t1000\t1000\t1000");
  EXPECT_EQ(status_line(status, "Gid"), "1001\t1001\t1001\t1001");
  EXPECT_EQ(status_line(status, "Umask"), "0077");
  EXPECT_EQ(status_line(status, "NoNewPrivs"), "1");
  EXPECT_EQ(status_line(status, "CapBnd"), "00000000a80425fb");
  EXPECT_EQ(status_line(status, "CapEff"), "0000000000000400");
  EXPECT_EQ(status_line(status, "CapAmb"), "0000000000000400");
  EXPECT_EQ(status_line(status, "SigIgn"), "0000000000000000");
  EXPECT_EQ(status_line(status, "SigBlk"), "0000000000000000");
  EXPECT_THAT(status, HasSubstr("groups=7,1001"));
  EXPECT_THAT(status, HasSubstr("reopened"));
}

// To setresuid(2) the highest id means "as it is": root.
TEST(Init, TheHighestIdIsNobodyAndNotRoot) {
  const BusyboxRoot root;
  for (const oci::User& user :
       {oci::User{.uid = 0xffffffff, .gid = 1000}, {.uid = 1000, .gid = 0xffffffff}}) {
    auto spec = root.spec("id");
    spec.process.user = user;
    const auto outcome = run_failing(spec);
    EXPECT_EQ(outcome.error, EINVAL);
  }
}

TEST(Init, RootHasDockersCapabilities) {
  const BusyboxRoot root;
  const auto outcome = run(root.spec("cat /proc/self/status"));
  EXPECT_EQ(status_line(outcome.output, "CapEff"), "00000000a80425fb");
  EXPECT_EQ(status_line(outcome.output, "CapPrm"), "00000000a80425fb");
  EXPECT_EQ(status_line(outcome.output, "CapBnd"), "00000000a80425fb");
  EXPECT_EQ(status_line(outcome.output, "Umask"), "0022");
}

TEST(Init, LoadsTheFilterWithAndWithoutNewPrivileges) {
  const BusyboxRoot root;
  const std::string profile = R"({"defaultAction": "SCMP_ACT_ALLOW",
      "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]})";
  const auto filter = runtime::seccomp_from_profile(profile, {});
  ASSERT_TRUE(filter) << filter.error().message();
  for (const bool no_new_privileges : {false, true}) {
    auto spec = root.spec("cat /proc/self/status; mkdir /tmp/x");
    spec.seccomp_program = filter->get();
    spec.process.no_new_privileges = no_new_privileges;
    const auto outcome = run(spec);
    EXPECT_EQ(status_line(outcome.output, "Seccomp"), "2");
    EXPECT_THAT(outcome.output, HasSubstr("Operation not supported"));
    EXPECT_EQ(status_line(outcome.output, "NoNewPrivs"), no_new_privileges ? "1" : "0");
  }
}

TEST(Init, LeavesNoDescriptorOpen) {
  const BusyboxRoot root;
  const auto outcome = run(root.spec("exec ls /proc/self/fd"));
  EXPECT_EQ(outcome.output, "0\n1\n2\n3\n");  // 3: the directory that ls reads
}

TEST(Init, OpensATerminal) {
  const BusyboxRoot root;
  auto spec = root.spec("tty; stty size; ls -l /dev/console; echo hi > /dev/tty");
  spec.process.terminal = true;
  spec.process.console_rows = 33;
  spec.process.console_columns = 111;
  const auto plan = runtime::plan_container(spec);
  ASSERT_TRUE(plan);
  InitProcess process(*plan);
  ASSERT_TRUE(process.started()) << process.failed_operation() << process.failure()->error;
  ASSERT_GE(process.master(), 0);
  const std::string output = process.output();
  EXPECT_THAT(output, HasSubstr("/dev/pts/0\r\n33 111\r\n"));
  EXPECT_THAT(output, HasSubstr("/dev/console"));
  EXPECT_THAT(output, HasSubstr("hi\r\n"));
  EXPECT_EQ(process.wait(), 0);
}

TEST(Init, TellsWhyNothingCouldBeExecuted) {
  const BusyboxRoot root;
  std::ofstream(root.layer() + "/etc/plain") << "data";
  std::ofstream(root.layer() + "/bin/broken") << "no program";
  std::ofstream(root.layer() + "/bin/script") << "#!/no/such/interpreter\n";
  for (const char* name : {"/bin/broken", "/bin/script"})
    ASSERT_EQ(::chmod((root.layer() + name).c_str(), 0755), 0);
  const auto explain = [&](const std::string& program) {
    auto spec = root.spec("");
    spec.process.args = {program};
    const auto failure = run_failing(spec).explained;
    return std::to_string(failure.exit_code) + " " + failure.message;
  };
  EXPECT_EQ(explain("foo"), "127 exec: \"foo\": executable file not found in $PATH");
  EXPECT_EQ(explain("/bin/foo"), "127 exec: \"/bin/foo\": stat /bin/foo: no such file or directory");
  EXPECT_EQ(explain("/etc/plain"), "126 exec: \"/etc/plain\": permission denied");
  EXPECT_EQ(explain("/etc"), "126 exec: \"/etc\": permission denied");
  EXPECT_EQ(explain("broken"), "126 exec broken: exec format error");
  EXPECT_THAT(explain("script"), HasSubstr("127 exec script: no such file or directory (the file is there"));
}

TEST(Init, MakesAMissingWorkingDirectoryButNotOverAFile) {
  const BusyboxRoot root;
  auto spec = root.spec("readlink /proc/self/cwd");
  spec.process.cwd = "/a/b";
  EXPECT_EQ(run(spec).output, "/a/b\n");
  spec.process.cwd = "/bin/sh";
  const auto failure = run_failing(spec).explained;
  EXPECT_EQ(failure.message, "chdir to cwd (\"/bin/sh\") failed: not a directory");
}

TEST(Init, NamesTheOperationThatFailed) {
  const BusyboxRoot root;
  auto spec = root.spec("true");
  spec.mounts.push_back({.destination = "/x", .type = "nofs", .source = "nofs"});
  const auto outcome = run_failing(spec);
  EXPECT_EQ(outcome.failed, "mount nofs at '/x'");
  EXPECT_EQ(outcome.error, ENODEV);
  EXPECT_EQ(outcome.explained.exit_code, 125);
}

TEST(Init, BadPlanIsNoOperationsFault) {
  runtime::LaunchPlan plan;
  plan.bytes = std::string(64, 'x');
  InitProcess process(plan);
  EXPECT_FALSE(process.started());
  ASSERT_TRUE(process.failure());
  EXPECT_EQ(process.failure()->op_index, init::kNoOp);
  EXPECT_EQ(process.wait(), 125);
}

class HostileRoot : public testing::Test {
 protected:
  void replace(const std::string& path, const std::string& target) {
    std::filesystem::remove_all(root_.layer() + path);
    std::filesystem::create_symlink(target, root_.layer() + path);
  }
  void SetUp() override {
    outside_ = root_.path() + "/outside";
    std::filesystem::create_directories(outside_);
    before_ = slurp("/proc/self/mountinfo");
  }
  void TearDown() override {
    EXPECT_TRUE(std::filesystem::is_empty(outside_));
    EXPECT_EQ(slurp("/proc/self/mountinfo"), before_);
  }
  BusyboxRoot root_;
  std::string outside_, before_;
};

TEST_F(HostileRoot, LinkedProcIsRefused) {
  for (const char* target : {"/", "..", "/tmp", "/proc"}) {
    replace("/proc", target);
    const auto outcome = run_failing(root_.spec("true"));
    EXPECT_EQ(outcome.failed, "mount proc at '/proc'");
    EXPECT_EQ(outcome.error, ELOOP);
  }
}

TEST_F(HostileRoot, LinkedDevStaysInside) {
  replace("/dev", "../../../../../.." + outside_);
  const auto outcome = run(root_.spec("ls /dev/null && readlink /dev"));
  EXPECT_THAT(outcome.output, HasSubstr("/dev/null"));
}

TEST_F(HostileRoot, LinkedTargetsStayInside) {
  replace("/data", outside_);
  replace("/up", "../../../../../../../.." + outside_);
  std::filesystem::create_symlink(outside_ + "/resolv.conf", root_.layer() + "/etc/resolv.conf");
  std::ofstream(root_.path() + "/resolv") << "nameserver\n";
  const auto file = kernel::clone_tree(root_.path() + "/resolv", false);
  ASSERT_TRUE(file) << file.error().message();
  auto spec = root_.spec("touch /data/x /up/sub/y; cat /etc/resolv.conf");
  spec.mounts.push_back({.destination = "/data", .type = "tmpfs", .source = "tmpfs"});
  spec.mounts.push_back({.destination = "/up/sub", .type = "tmpfs", .source = "tmpfs"});
  spec.mounts.push_back({.destination = "/etc/resolv.conf", .tree = file->get(), .file_target = true});
  const auto outcome = run(spec);
  EXPECT_THAT(outcome.output, HasSubstr("nameserver"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

TEST_F(HostileRoot, LinkedWorkingDirectoryStaysInside) {
  replace("/wd", "/proc/self/fd/3");
  auto spec = root_.spec("readlink /proc/self/cwd");
  spec.process.cwd = "/wd";
  // The report socket is no directory; other descriptors are closed or lead nowhere.
  EXPECT_NE(run_failing(spec).error, 0);
  spec.process.cwd = "/proc/self/fd/5";
  spec.mounts.push_back({.destination = "/mnt", .tree = ::open("/", O_PATH | O_CLOEXEC)});
  EXPECT_NE(run_failing(spec).error, 0);
  ::close(spec.mounts.back().tree);
}

TEST(Init, DiesWithItsParent) {
  const BusyboxRoot root;
  const auto plan = runtime::plan_container(root.spec("echo up; sleep 100"));
  ASSERT_TRUE(plan);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const int monitor = ::fork();
  if (monitor == 0) {
    InitProcess process(*plan);
    const bool up = process.started() && process.some_output() == "up\n";
    const int pid = up ? process.pid() : -1;
    if (::write(ends[1], &pid, sizeof pid) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(ends[1]);
  int pid = -1;
  // An orphan of ours becomes our child, so that its end can be waited for.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  ASSERT_EQ(::read(reader.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ASSERT_EQ(::waitpid(monitor, nullptr, 0), monitor);
  ASSERT_GT(pid, 0);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(Init, EndsWhenNobodyListens) {
  const BusyboxRoot root;
  const auto plan = runtime::plan_container(root.spec("sleep 100"));
  ASSERT_TRUE(plan);
  InitProcess process(*plan);
  process.close_reports();
  EXPECT_EQ(process.wait(), 125);
}

TEST(Init, ExecJoinsTheContainer) {
  const BusyboxRoot root;
  auto spec = root.spec("echo up; sleep 100");
  spec.hostname = "joined";
  const auto plan = runtime::plan_container(spec);
  ASSERT_TRUE(plan);
  InitProcess container(*plan);
  ASSERT_TRUE(container.started()) << container.failed_operation();
  EXPECT_EQ(container.some_output(), "up\n");
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, container.pid(), 0)));
  const UniqueFd pid_namespace(
      ::open(("/proc/" + std::to_string(container.pid()) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  oci::Process process = spec.process;
  process.cwd = "/tmp";
  process.args = {
      "sh", "-c",
      "hostname; readlink /proc/self/cwd; cat /proc/1/cmdline; ls /proc/self/fd; cat /proc/self/status"};
  const auto exec = runtime::plan_exec(
      process,
      {.pidfd = pidfd.get(),
       .pid_namespace = pid_namespace.get(),
       .namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP},
      -1);
  ASSERT_TRUE(exec);
  InitProcess session(*exec);
  ASSERT_TRUE(session.started()) << session.failed_operation();
  const std::string output = session.output();
  EXPECT_THAT(output, testing::StartsWith("joined\n/tmp\nsleep"));
  EXPECT_EQ(status_line(output, "CapEff"), "00000000a80425fb");
  EXPECT_EQ(session.wait(), 0);

  process.terminal = true;
  process.args = {"tty"};
  const auto terminal = runtime::plan_exec(process,
                                           {.pidfd = pidfd.get(),
                                            .pid_namespace = pid_namespace.get(),
                                            .namespaces = CLONE_NEWNS | CLONE_NEWCGROUP},
                                           -1);
  ASSERT_TRUE(terminal);
  InitProcess on_terminal(*terminal);
  ASSERT_TRUE(on_terminal.started()) << on_terminal.failed_operation();
  EXPECT_EQ(on_terminal.output(), "/dev/pts/0\r\n");
  EXPECT_EQ(on_terminal.wait(), 0);
}

TEST(Init, ReadOnlyTreeServesAsRoot) {
  const BusyboxRoot root;
  const auto tree = kernel::clone_tree(root.layer(), false);
  ASSERT_TRUE(tree);
  ASSERT_TRUE(kernel::set_mount_attributes(tree->get(), MOUNT_ATTR_RDONLY, 0, 0, false));
  auto spec = root.spec("echo started; echo x > /x");
  spec.overlay.reset();
  spec.root_tree = tree->get();
  spec.mounts.clear();
  spec.devices.clear();
  spec.masked_paths.clear();
  spec.readonly_paths.clear();
  const auto outcome = run(spec);
  EXPECT_THAT(outcome.output, HasSubstr("started"));
  EXPECT_THAT(outcome.output, HasSubstr("Read-only file system"));
}

TEST(Mounts, ClonesATreeInAnotherMountNamespace) {
  const BusyboxRoot root;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const std::string point = root.path() + "/root";
  const int holder = ::fork();
  if (holder == 0) {
    const bool made = ::unshare(CLONE_NEWNS) == 0 &&
                      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                      ::mount("tmpfs", point.c_str(), "tmpfs", 0, nullptr) == 0;
    if (::write(writer.get(), made ? "y" : "n", 1) == 1) ::pause();
    ::_exit(0);
  }
  char made = 0;
  ASSERT_EQ(::read(reader.get(), &made, 1), 1);
  EXPECT_EQ(made, 'y');
  const UniqueFd mount_namespace(
      ::open(("/proc/" + std::to_string(holder) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  for (int round = 0; round < 2; ++round) {
    const auto tree = kernel::clone_tree_in(mount_namespace.get(), point);
    ASSERT_TRUE(tree) << tree.error().message();
    auto spec = root.spec("echo shared >> /dev/shm/f; cat /dev/shm/f");
    spec.mounts.push_back({.destination = "/dev/shm", .tree = tree->get()});
    EXPECT_EQ(run(spec).output, round == 0 ? "shared\n" : "shared\nshared\n");
  }
  EXPECT_FALSE(kernel::clone_tree_in(mount_namespace.get(), "/no/such/path"));
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
}

TEST(DefaultSeccomp, IsCachedAndWorks) {
  const BusyboxRoot root;
  const std::string cache = root.path() + "/cache";
  const auto first = runtime::default_seccomp(cache, runtime::default_capabilities());
  ASSERT_TRUE(first) << first.error().message();
  auto spec = root.spec("cat /proc/self/status; unshare -U true; chroot / true && echo chroot-works");
  spec.seccomp_program = first->get();
  const auto outcome = run(spec);
  EXPECT_EQ(status_line(outcome.output, "Seccomp"), "2");
  EXPECT_THAT(outcome.output, HasSubstr("chroot-works"));
  ASSERT_EQ(std::distance(std::filesystem::directory_iterator(cache), {}), 1);
  const auto second = runtime::default_seccomp(cache, runtime::default_capabilities());
  ASSERT_TRUE(second);
  struct stat one = {}, two = {};
  ASSERT_EQ(::fstat(first->get(), &one), 0);
  ASSERT_EQ(::fstat(second->get(), &two), 0);
  EXPECT_EQ(one.st_ino, two.st_ino);
  ASSERT_TRUE(runtime::default_seccomp(cache, runtime::all_capabilities()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(cache), {}), 2);
}

}  // namespace
}  // namespace fermata
