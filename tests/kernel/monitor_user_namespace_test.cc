// A pod whose namespaces belong to a user namespace: what fermata-monitor makes of it, with a stand-in for
// fermata-init. Needs root.
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kernel/support/stand_in_init.h"
#include "kernel/support/test_monitor.h"
#include "kernel/user_namespace.h"

namespace fermata::test {
namespace {

constexpr std::uint32_t kFirst = 300000;  // of the host's ids
constexpr std::uint32_t kNamespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

std::pair<dev_t, ino_t> identity(int fd) {
  struct stat info = {};
  EXPECT_EQ(::fstat(fd, &info), 0);
  return {info.st_dev, info.st_ino};
}

class MonitorUserNamespace : public MonitorTest {
 protected:
  void SetUp() override {
    MonitorTest::SetUp();
    auto made = kernel::make_user_namespace({{{0, kFirst, 65536}}, {{0, kFirst, 65536}}});
    ASSERT_TRUE(made) << made.error().message();
    user_ = std::move(*made);
    auto namespaces = connect().setup(kNamespaces, 1 << 20, "mapped-pod", user_.get());
    ASSERT_TRUE(namespaces) << namespaces.error().message();
    pod_ = std::move(*namespaces);
  }
  pod::LaunchRequest mapped(const std::string& id, const std::string& script) {
    auto wanted = request(id, script);
    wanted.user_namespace = pod_.user.get();
    wanted.joined_namespaces = {pod_.net.get(), pod_.ipc.get(), pod_.uts.get()};
    wanted.flags = monitor::kNewPid;
    wanted.stream_owner = kFirst;
    return wanted;
  }
  std::vector<std::string> logged_by(const pod::LaunchRequest& wanted) {
    const auto reply = connect().launch(wanted, {})->reply;
    EXPECT_EQ(reply.error, 0) << static_cast<int>(reply.stage);
    if (reply.error != 0) return {};
    EXPECT_EQ(wait(wanted.id).exit_code, 0);
    return log(wanted.id);
  }

  UniqueFd user_;
  pod::PodNamespaces pod_;
};

TEST_F(MonitorUserNamespace, OwnsThePodsNamespaces) {
  EXPECT_EQ(identity(pod_.user.get()), identity(user_.get()));
  for (const UniqueFd* one : {&pod_.net, &pod_.ipc, &pod_.uts, &pod_.mount}) {
    const UniqueFd owner(::ioctl(one->get(), NS_GET_USERNS));
    ASSERT_TRUE(owner.valid()) << errno;
    EXPECT_EQ(identity(owner.get()), identity(user_.get()));
  }
  // The monitor has not moved.
  const UniqueFd own = open_file("/proc/self/ns/user", O_RDONLY).value();
  const UniqueFd its = open_file("/proc/" + std::to_string(monitor_pid_) + "/ns/user", O_RDONLY).value();
  EXPECT_EQ(identity(own.get()), identity(its.get()));
  const auto again = connect().namespaces();
  ASSERT_TRUE(again);
  EXPECT_EQ(identity(again->user.get()), identity(user_.get()));
  EXPECT_TRUE(connect().setup(kNamespaces, 1 << 20, "mapped-pod", user_.get()));
}

TEST_F(MonitorUserNamespace, SharedMemoryIsItsRoots) {
  const pid_t child = ::fork();
  if (child == 0) {
    struct stat shm = {};
    const bool inside = ::setns(pod_.mount.get(), CLONE_NEWNS) == 0 && ::stat("/shm", &shm) == 0;
    ::_exit(!inside ? 1 : shm.st_uid != kFirst ? 2 : (shm.st_mode & 07777) != 01777 ? 3 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(MonitorUserNamespace, ProcessesAreBornInIt) {
  const auto lines = logged_by(mapped("c",
                                      "cat /proc/$$/uid_map; id -u; id -G; uname -n; readlink "
                                      "/proc/self/ns/net; echo again > /proc/self/fd/1"));
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[1], "stdout F 0");
  EXPECT_EQ(lines[2], "stdout F 0");
  EXPECT_EQ(lines[3], "stdout F mapped-pod");
  EXPECT_EQ(lines[4], "stdout F net:[" + std::to_string(identity(pod_.net.get()).second) + "]");
  EXPECT_EQ(lines[5], "stdout F again");
}

TEST_F(MonitorUserNamespace, PipesOfTheHostsRootAreNotOpenedAnew) {
  auto wanted = mapped("c", "echo again > /proc/self/fd/1 || true");
  wanted.stream_owner.reset();
  const auto lines = logged_by(wanted);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("stderr F sh: "), std::string::npos) << lines[0];
}

TEST_F(MonitorUserNamespace, LimitsAreSetWithTheHostsPrivileges) {
  rlimit own = {};
  ASSERT_EQ(::getrlimit(RLIMIT_CORE, &own), 0);
  auto wanted = mapped("c", "cat /proc/self/oom_score_adj; ulimit -c");
  wanted.oom_score_adj = 321;
  wanted.limits = {{RLIMIT_CORE, 0, 0}};
  const auto lines = logged_by(wanted);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "stdout F 321");
  EXPECT_EQ(lines[1], "stdout F 0");
}

TEST_F(MonitorUserNamespace, ItsProcessesAreTheMonitorsChildren) {
  auto client = connect();
  const auto reply = client.launch(mapped("c", "exec sleep 1000"), {})->reply;
  ASSERT_EQ(reply.error, 0);
  const std::string status = read_file("/proc/" + std::to_string(reply.pid) + "/status").value();
  EXPECT_NE(status.find("\nPPid:\t" + std::to_string(monitor_pid_) + "\n"), std::string::npos);
  EXPECT_NE(status.find("\nUid:\t300000\t300000\t"), std::string::npos);
  ASSERT_TRUE(client.signal("c", SIGTERM));
  ASSERT_TRUE(client.signal("c", SIGKILL));  // the first process of a PID namespace may not hear the other
  EXPECT_EQ(client.wait("c").value().exit_code, 128 + SIGKILL);
  // A second one, and one that joins its PID namespace.
  const auto first = client.launch(mapped("d", "exec sleep 1000"), {})->reply;
  ASSERT_EQ(first.error, 0);
  const UniqueFd pids = open_file("/proc/" + std::to_string(first.pid) + "/ns/pid", O_RDONLY).value();
  auto wanted = mapped("e", "exec sleep 1000");
  wanted.flags = 0;
  wanted.pid_namespace = pids.get();
  const auto second = client.launch(wanted, {})->reply;
  ASSERT_EQ(second.error, 0);
  EXPECT_NE(read_file("/proc/" + std::to_string(second.pid) + "/status")
                ->find("\nNSpid:\t" + std::to_string(second.pid) + "\t2\n"),
            std::string::npos);
  // A monitor that dies takes them along.
  const UniqueFd last(static_cast<int>(::syscall(SYS_pidfd_open, second.pid, 0)));
  ASSERT_EQ(::kill(monitor_pid_, SIGKILL), 0);
  pollfd gone = {last.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&gone, 1, 10000), 1);
}

TEST_F(MonitorUserNamespace, WhatCannotBeIsToldAndLeavesNothing) {
  auto wanted = mapped("x", "exit 0");
  wanted.user_namespace = pod_.net.get();
  const auto reply = connect().launch(wanted, {})->reply;
  EXPECT_EQ(reply.error, EINVAL);
  EXPECT_EQ(reply.stage, monitor::Stage::namespaces);
  EXPECT_EQ(connect().launch(mapped("x", "#fail 17 2\n"), {})->reply.op_index, 17u);
  // To join without it would be to join with the host's privileges.
  wanted = mapped("x", "exit 0");
  wanted.user_namespace = -1;
  EXPECT_EQ(connect().launch(wanted, {})->reply.error, EINVAL);
  EXPECT_EQ(connect().launch(mapped("x", "exit 0"), {})->reply.error, 0);
}

}  // namespace
}  // namespace fermata::test
