// Containers in user namespaces of their own: what is mapped, what is owned, what cannot be had. Needs root.
#include "kernel/user_namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>

#include "kernel/capabilities.h"
#include "kernel/cgroup.h"
#include "kernel/mounts.h"
#include "kernel/support/outcome.h"
#include "runtime/mount_trees.h"

namespace fermata {
namespace {

using test::BusyboxRoot;
using test::InitProcess;
using test::run;
using test::slurp;
using test::status_line;
using testing::HasSubstr;
using Type = oci::Namespace::Type;

constexpr std::uint32_t kFirst = 300000;  // of the host's ids
const kernel::IdMaps kMaps = {{{0, kFirst, 65536}}, {{0, kFirst, 65536}}};

// A bundle whose root belongs to the mapped ids, as an engine would chown or idmap it.
class UserNamespace : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_.layer()))
      ASSERT_EQ(::lchown(entry.path().c_str(), kFirst, kFirst), 0);
    ASSERT_EQ(::chown(root_.layer().c_str(), kFirst, kFirst), 0);
    // Nothing of the host's may have to be walked to.
    ASSERT_EQ(::chmod(root_.path().c_str(), 0700), 0);
    auto made = kernel::make_user_namespace(kMaps);
    ASSERT_TRUE(made) << made.error().message();
    user_ = std::move(*made);
  }
  oci::RuntimeSpec spec(const std::string& script) {
    auto spec = root_.spec(script);
    spec.overlay.reset();
    spec.root_path = "layers/base";
    spec.mount_point.clear();
    spec.namespaces.push_back({Type::user, user_.get()});
    spec.uid_mappings = spec.gid_mappings = {{0, kFirst, 65536}};
    return spec;
  }
  // What no mapped user may walk to.
  void make_volume() const {
    std::filesystem::create_directories(root_.path() + "/secret/volume");
    ASSERT_EQ(::chmod((root_.path() + "/secret").c_str(), 0700), 0);
    ASSERT_TRUE(write_file(root_.path() + "/secret/volume/file", "host\n", 0600));
  }
  void open(oci::RuntimeSpec* spec) {
    auto prepared = runtime::open_mounts(spec, root_.path());
    ASSERT_TRUE(prepared) << prepared.error().message();
    prepared_.push_back(std::move(*prepared));
  }

  BusyboxRoot root_;
  UniqueFd user_;
  std::vector<runtime::PreparedMounts> prepared_;
};

TEST(UserNamespaces, MapsCanBeReadBack) {
  const kernel::IdMaps maps = {{{0, kFirst, 1000}, {1000, 0, 1}}, {{5, kFirst, 10}}};
  const auto made = kernel::make_user_namespace(maps);
  ASSERT_TRUE(made) << made.error().message();
  const auto read = kernel::read_id_maps(made->get());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, maps);
  EXPECT_FALSE(kernel::make_user_namespace({}));
  const auto overlapping = kernel::make_user_namespace({{{0, 1, 2}, {1, 5, 2}}, {{0, 1, 2}}});
  ASSERT_FALSE(overlapping);
  EXPECT_THAT(overlapping.error().message(), HasSubstr("overlap"));
}

TEST_F(UserNamespace, StartsAContainerThatOwnsItsNamespaces) {
  auto given = spec(
      "cat /proc/self/uid_map; id; hostname; cat /proc/mounts; ls -l /dev; echo data > /tmp/file; stat -c %u "
      "/tmp/file; mount -t tmpfs tmpfs /tmp && echo mounted; hostname other && hostname; "
      "echo ok > /dev/null; head -c 1 /dev/zero | ls > /dev/null && echo null-works");
  given.hostname = "mapped";
  given.process.capabilities.bounding.push_back("CAP_SYS_ADMIN");
  given.process.capabilities.effective.push_back("CAP_SYS_ADMIN");
  given.process.capabilities.permitted.push_back("CAP_SYS_ADMIN");
  given.sysctl = {{"net.ipv4.ip_unprivileged_port_start", "0"}};
  given.process.oom_score_adj = 500;
  open(&given);
  const auto outcome = run(given);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, testing::ContainsRegex("0 +300000 +65536"));
  EXPECT_THAT(outcome.output, HasSubstr("uid=0 gid=0"));
  for (const char* text : {"mapped\n", "mounted", "other\n", "null-works", " /proc proc", " /sys sysfs ro",
                           " /dev/pts devpts", " /dev/null devtmpfs", "\n0\nmounted"})
    EXPECT_THAT(outcome.output, HasSubstr(text));
  struct stat info = {};
  ASSERT_EQ(::stat((root_.layer() + "/tmp/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kFirst);
  EXPECT_THAT(slurp("/proc/self/mountinfo"), testing::Not(HasSubstr(root_.path())));
}

TEST_F(UserNamespace, UsersAndGroupsAreMapped) {
  auto given = spec("cat /proc/self/status");
  given.process.user = {.uid = 1000, .gid = 1001, .additional_gids = {7}};
  open(&given);
  const auto plan = runtime::plan_container(given);
  ASSERT_TRUE(plan);
  EXPECT_EQ(status_line(run(given).output, "Uid"), "1000\t1000\t1000\t1000");
}

TEST_F(UserNamespace, DeviceOfAnotherNumberIsNotBound) {
  auto given = spec("true");
  given.devices = {{.path = "/dev/null", .major = 1, .minor = 5}};
  open(&given);
  const auto outcome = test::attempt(given);
  EXPECT_EQ(outcome.failed, "make device '/dev/null'");
  EXPECT_EQ(outcome.error, ENODEV);
}

TEST_F(UserNamespace, DeviceIsNotBoundOverProc) {
  auto given = spec("true");
  std::erase_if(given.mounts, [](const oci::Mount& one) { return one.destination.starts_with("/dev"); });
  std::filesystem::create_symlink("/proc/version", root_.layer() + "/dev/null");
  given.devices = {{.path = "/dev/null", .major = 1, .minor = 3}};
  open(&given);
  EXPECT_EQ(test::attempt(given).error, ELOOP);
}

TEST_F(UserNamespace, BindsWhatOnlyTheHostCanReach) {
  make_volume();
  auto given = spec("cat /plain/file; stat -c %u /plain/file");
  given.mounts.push_back({.destination = "/plain", .source = "secret/volume", .options = {"bind", "ro"}});
  open(&given);
  EXPECT_EQ(run(given).output, "cat: can't open '/plain/file': Permission denied\n65534\n");
}

TEST_F(UserNamespace, BindShowsTheContainersIds) {
  if (!test::maps_ids(root_.path())) GTEST_SKIP() << "the file system of /tmp cannot map ids on this kernel";
  make_volume();
  auto given = spec("cat /mapped/file; stat -c %u /mapped/file; echo x > /mapped/made");
  given.mounts.push_back({.destination = "/mapped", .source = "secret/volume", .options = {"bind", "idmap"}});
  open(&given);
  EXPECT_EQ(run(given).output, "host\n0\n");
  struct stat info = {};
  ASSERT_EQ(::stat((root_.path() + "/secret/volume/made").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
}

TEST_F(UserNamespace, SeveralContainersShareOneAndItsNamespaces) {
  auto first_spec = spec("echo up; sleep 100");
  first_spec.hostname = "first";
  open(&first_spec);
  const auto plan = runtime::plan_container(first_spec);
  ASSERT_TRUE(plan);
  InitProcess first(*plan);
  ASSERT_TRUE(first.started()) << first.failed_operation() << " " << first.failure()->error;
  EXPECT_EQ(first.some_output(), "up\n");
  const auto of_first = [&](const char* name) {
    return UniqueFd(
        ::open(("/proc/" + std::to_string(first.pid()) + "/ns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  };
  const UniqueFd user = of_first("user"), uts = of_first("uts"), net = of_first("net"), pid = of_first("pid");
  auto second = spec("hostname; cat /proc/1/cmdline; cat /proc/self/uid_map");
  second.namespaces = {{Type::user, user.get()}, {Type::uts, uts.get()}, {Type::network, net.get()},
                       {Type::pid, pid.get()},   {Type::mount},          {Type::ipc}};
  open(&second);
  const auto outcome = run(second);
  EXPECT_THAT(outcome.output, testing::StartsWith("first\nsleep"));
  // What is not in the document is asked of the namespace.
  auto third = spec("true");
  third.uid_mappings.clear();
  third.gid_mappings.clear();
  open(&third);
  ASSERT_EQ(third.gid_mappings.size(), 1u);
  EXPECT_EQ(third.gid_mappings[0].host_id, kFirst);
}

TEST_F(UserNamespace, NetworkOfTheHostsCanBeJoined) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const int holder = ::fork();
  if (holder == 0) {
    const char made = ::unshare(CLONE_NEWUTS) == 0 && ::sethostname("hosts", 5) == 0 ? 'y' : 'n';
    if (::write(ends[1], &made, 1) == 1) ::pause();
    ::_exit(0);
  }
  ::close(ends[1]);
  char made = 0;
  ASSERT_EQ(::read(reader.get(), &made, 1), 1);
  const UniqueFd uts(::open(("/proc/" + std::to_string(holder) + "/ns/uts").c_str(), O_RDONLY | O_CLOEXEC));
  auto given = spec("hostname; hostname mine || echo refused");
  for (oci::Namespace& one : given.namespaces)
    if (one.type == Type::uts) one.fd = uts.get();
  open(&given);
  const auto outcome = run(given);
  EXPECT_THAT(outcome.output, testing::StartsWith("hosts\n"));
  EXPECT_THAT(outcome.output, HasSubstr("refused"));
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
}

TEST_F(UserNamespace, ExecJoinsIt) {
  auto given = spec("echo up; sleep 100");
  open(&given);
  const auto plan = runtime::plan_container(given);
  ASSERT_TRUE(plan);
  InitProcess container(*plan);
  ASSERT_TRUE(container.started()) << container.failed_operation();
  EXPECT_EQ(container.some_output(), "up\n");
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, container.pid(), 0)));
  const UniqueFd pid_namespace(
      ::open(("/proc/" + std::to_string(container.pid()) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  for (const std::uint32_t uid : {0u, 33u}) {
    oci::Process process = given.process;
    process.user = {.uid = uid, .gid = uid};
    process.oom_score_adj = 300;
    process.args = {"sh", "-c",
                    "cat /proc/self/status /proc/self/uid_map /proc/self/oom_score_adj; ls /proc/self/fd"};
    const auto exec = runtime::plan_exec(process,
                                         {.pidfd = pidfd.get(),
                                          .pid_namespace = pid_namespace.get(),
                                          .namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET |
                                                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP},
                                         -1);
    ASSERT_TRUE(exec);
    InitProcess session(*exec);
    ASSERT_TRUE(session.started()) << session.failed_operation() << " " << session.failure()->error;
    const std::string output = session.output();
    const std::string id = std::to_string(uid);
    EXPECT_EQ(status_line(output, "Uid"), id + "\t" + id + "\t" + id + "\t" + id);
    EXPECT_EQ(status_line(output, "CapBnd"), "00000000a80425fb");
    EXPECT_THAT(output, testing::ContainsRegex("0 +300000 +65536\n300\n0\n1\n2\n3\n"));
    EXPECT_EQ(session.wait(), 0);
  }
}

// In the order of things: a cgroup of the host's root is entered before that one is given up.
TEST_F(UserNamespace, SupervisedCommandBelongsToIt) {
  auto given = spec("echo up; sleep 100");
  given.process.capabilities.bounding.push_back("CAP_SYS_PTRACE");
  open(&given);
  const auto plan = runtime::plan_container(given);
  ASSERT_TRUE(plan);
  InitProcess container(*plan);
  ASSERT_TRUE(container.started()) << container.failed_operation();
  EXPECT_EQ(container.some_output(), "up\n");
  const auto mounts = kernel::CgroupMounts::detect();
  ASSERT_TRUE(mounts);
  ASSERT_FALSE(mounts->unified.empty());
  const std::string group = mounts->unified + "/fermata-mapped-test-" + std::to_string(::getpid());
  ASSERT_EQ(::mkdir(group.c_str(), 0755), 0);
  const UniqueFd directory(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, container.pid(), 0)));
  const UniqueFd pid_namespace(
      ::open(("/proc/" + std::to_string(container.pid()) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  oci::Process process = given.process;
  process.terminal = true;
  for (auto* set :
       {&process.capabilities.bounding, &process.capabilities.effective, &process.capabilities.permitted})
    set->push_back("CAP_SYS_PTRACE");
  process.args = {"sh", "-c",
                  "stat -c %u $(tty); cat /proc/$PPID/status; cat /proc/$PPID/environ /proc/$PPID/maps; "
                  "ls /proc/$PPID/fd; echo looked; kill -STOP $$"};
  const auto exec = runtime::plan_exec(process,
                                       {.pidfd = pidfd.get(),
                                        .pid_namespace = pid_namespace.get(),
                                        .namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET |
                                                      CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
                                        .cgroup = {.directory = directory.get(), .v1_tasks = {}}},
                                       -1);
  ASSERT_TRUE(exec);
  {
    InitProcess session(*exec);
    ASSERT_TRUE(session.started()) << session.failed_operation() << " " << session.failure()->error;
    std::string output;
    while (output.find("looked") == std::string::npos) {
      const std::string more = session.some_output();
      if (more.empty()) break;
      output += more;
    }
    EXPECT_THAT(output, testing::StartsWith("0\r\n"));
    EXPECT_EQ(status_line(output, "Name"), "fermata-exec\r");
    EXPECT_EQ(status_line(output, "Uid"), "0\t0\t0\t0\r");
    EXPECT_EQ(status_line(output, "CapEff"), "0000000000000020\r");  // CAP_KILL
    // Its memory was made outside: no privilege of the container's reaches it.
    for (const char* file : {"environ", "maps", "fd"})
      EXPECT_THAT(output,
                  testing::ContainsRegex(std::string("/proc/[0-9]+/") + file + "': Permission denied"));
    ASSERT_TRUE(session.order_end());
    EXPECT_EQ(session.wait(), 137);
  }
  EXPECT_EQ(::rmdir(group.c_str()), 0) << errno;
}

// With the host's privileges, which the namespace does not have.
TEST_F(UserNamespace, LimitsAreRaisedAsFarAsTheHostMay) {
  auto given = spec("ulimit -Hn; cat /proc/self/oom_score_adj");
  rlimit own = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &own), 0);
  const std::uint64_t wanted = own.rlim_max + 100;
  given.process.rlimits = {{"RLIMIT_NOFILE", 50, wanted}};
  given.process.oom_score_adj = -20;
  open(&given);
  const bool may = (kernel::own_bounding_set() >> 24 & 1) != 0;
  EXPECT_EQ(run(given).output, std::to_string(may ? wanted : own.rlim_max) + "\n" +
                                   (may ? "-20\n" : slurp("/proc/self/oom_score_adj")));
}

TEST_F(UserNamespace, TerminalAndTimeAndReadOnlyRoot) {
  auto given = spec("tty; cat /proc/uptime; touch /x; readlink /proc/self/ns/time");
  given.process.terminal = true;
  given.root_readonly = true;
  given.namespaces.push_back({Type::time});
  given.time_offsets = {{"boottime", {100000000, 0}}};
  open(&given);
  const auto outcome = run(given);
  EXPECT_THAT(outcome.output, testing::StartsWith("/dev/pts/0\r\n1000"));
  EXPECT_THAT(outcome.output, HasSubstr("/x: Read-only file system"));
}

}  // namespace
}  // namespace fermata
