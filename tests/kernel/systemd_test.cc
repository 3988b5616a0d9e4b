// systemd's scopes, on a machine whose first process is systemd.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>

#include "base/files.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "scope/scope_name.h"
#include "scope/scopes.h"

namespace fermata::scope {
namespace {

using kernel::Cgroup;
using kernel::CgroupLimits;
using std::chrono::milliseconds;

TEST(Systemd, IsAskedForWhereItIsMissing) {
  if (has_systemd()) GTEST_SKIP() << "systemd is the first process of this machine";
  const auto scopes = load_scopes();
  ASSERT_FALSE(scopes);
  EXPECT_EQ(scopes.error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(scopes.error().message(), testing::HasSubstr("use cgroupfs"));
}

class RealScopes : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_systemd()) GTEST_SKIP() << "systemd is not the first process of this machine";
    auto loaded = load_scopes();
    ASSERT_TRUE(loaded) << loaded.error().message();
    scopes_ = *loaded;
    auto detected = kernel::CgroupMounts::detect();
    ASSERT_TRUE(detected) << detected.error().message();
    mounts_ = *detected;
    unit_ = "fermata-test-" + std::to_string(::getpid()) + ".scope";
  }
  void TearDown() override {
    if (scopes_ == nullptr) return;
    for (const pid_t child : children_) ::kill(child, SIGKILL);
    const auto stopped = scopes_->stop(unit_);
    EXPECT_TRUE(stopped) << stopped.error().message();
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }

  // A child that begins when go() is called.
  pid_t spawn(const std::function<int()>& body) {
    EXPECT_EQ(::pipe2(gate_, O_CLOEXEC), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(gate_[1]);
      char byte;
      static_cast<void>(::read(gate_[0], &byte, 1));
      ::_exit(body());
    }
    ::close(gate_[0]);
    children_.push_back(pid);
    return pid;
  }
  void go() { ::close(gate_[1]); }
  pid_t sleeper() {
    const pid_t pid = spawn([] { return ::pause(); });
    go();
    return pid;
  }
  static int status_of(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
  }

  ScopeRequest request(int pid, const CgroupLimits& limits = {}) {
    auto properties = properties_of(limits, mounts_.pure_v2());
    if (!properties) ADD_FAILURE() << properties.error().message();
    return {.slice = "system.slice",
            .unit = unit_,
            .description = "a test of fermata",
            .pid = pid,
            .properties = *properties};
  }
  Cgroup start(const ScopeRequest& request) {
    const auto path = scopes_->start(request);
    if (!path) ADD_FAILURE() << path.error().message();
    return Cgroup::open(mounts_, path.value_or("absent"));
  }
  std::string file(const Cgroup& group, const std::string& name) {
    return std::string(
        trim(read_file(mounts_.unified + "/" + group.path() + "/" + name).value_or("(absent)")));
  }
  // What systemd writes when it reads its units again.
  static void reload() { ASSERT_EQ(::system("systemctl daemon-reload"), 0); }

  Scopes* scopes_ = nullptr;
  kernel::CgroupMounts mounts_;
  std::string unit_;
  int gate_[2] = {};
  std::vector<pid_t> children_;
};

TEST_F(RealScopes, HoldTheirProcessInTheirSlice) {
  ScopeRequest wanted = request(sleeper());
  wanted.slice = "fermata-test.slice";
  const Cgroup group = start(wanted);
  EXPECT_EQ(group.path(), slice_directory(wanted.slice).value_or("?") + "/" + unit_);
  EXPECT_THAT(group.processes().value_or(std::vector<int>{}), testing::ElementsAre(wanted.pid));
}

TEST_F(RealScopes, KeepTheirLimitsWhenSystemdReloads) {
  const CgroupLimits limits = {.memory_max = 64 << 20,
                               .memory_swap_max = 96 << 20,
                               .memory_reservation = 16 << 20,
                               .cpu_shares = 2048,
                               .cpu_quota = 33333,
                               .cpu_period = 50000,
                               .cpuset_cpus = "0",
                               .pids_max = 30};
  Cgroup group = start(request(sleeper(), limits));
  const auto applied = group.apply(limits);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(file(group, "cpu.max"), "33333 50000");
  reload();
  EXPECT_EQ(file(group, "memory.max"), "67108864");
  EXPECT_EQ(file(group, "memory.low"), "16777216");
  EXPECT_EQ(file(group, "memory.swap.max"), "33554432");
  EXPECT_EQ(file(group, "cpu.weight"), std::to_string(kernel::weight_of_shares(2048)));
  EXPECT_EQ(file(group, "cpuset.cpus"), "0");
  EXPECT_EQ(file(group, "pids.max"), "30");
  EXPECT_THAT(file(group, "cpu.max"), testing::EndsWith(" 50000"));
}

TEST_F(RealScopes, ChangeWhileTheyLive) {
  const Cgroup group = start(request(sleeper(), {.memory_max = 64 << 20, .pids_max = 30}));
  const auto properties = properties_of({.memory_max = 128 << 20, .pids_max = -1}, mounts_.pure_v2());
  ASSERT_TRUE(properties);
  const auto changed = scopes_->set_properties(unit_, *properties);
  ASSERT_TRUE(changed) << changed.error().message();
  EXPECT_EQ(file(group, "memory.max"), "134217728");
  EXPECT_EQ(file(group, "pids.max"), "max");
  const auto absent = scopes_->set_properties("fermata-test-absent.scope", *properties);
  EXPECT_FALSE(absent);
}

TEST_F(RealScopes, BecomeIdle) {
  const CgroupLimits limits = {.cpu_idle = 1};
  const Cgroup group = start(request(sleeper(), limits));
  EXPECT_TRUE(Cgroup::open(mounts_, group.path()).apply(limits));
  reload();
  EXPECT_EQ(file(group, "cpu.idle"), "1");
}

TEST_F(RealScopes, StopTheirProcessesAndAreGone) {
  const pid_t child = sleeper();
  const Cgroup group = start(request(child));
  const auto stopped = scopes_->stop(unit_);
  ASSERT_TRUE(stopped) << stopped.error().message();
  EXPECT_TRUE(WIFSIGNALED(status_of(child)));
  EXPECT_FALSE(group.exists());
  EXPECT_TRUE(scopes_->stop(unit_));
  EXPECT_TRUE(scopes_->reset_failed(unit_));
}

TEST_F(RealScopes, AreNotMadeTwice) {
  start(request(sleeper()));
  const auto again = scopes_->start(request(sleeper()));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), ErrorKind::conflict) << again.error().message();
}

TEST_F(RealScopes, NeedAProcess) {
  const pid_t child = spawn([] { return 0; });
  go();
  status_of(child);
  const auto started = scopes_->start(request(child));
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), testing::HasSubstr(unit_));
}

TEST_F(RealScopes, AreOursToDivide) {
  const pid_t child = sleeper();
  const Cgroup group = start(request(child));
  // No processes beside groups: those with controllers have none of their own in v2.
  auto inner = Cgroup::create(mounts_, group.path() + "/inner");
  ASSERT_TRUE(inner) << inner.error().message();
  const auto moved = inner->add_process(child);
  ASSERT_TRUE(moved) << moved.error().message();
  auto limited = Cgroup::create(mounts_, group.path() + "/limited");
  ASSERT_TRUE(limited);
  const auto applied = limited->apply({.memory_max = 8 << 20, .cpu_quota = 50000, .pids_max = 5});
  ASSERT_TRUE(applied) << applied.error().message();
  reload();
  EXPECT_EQ(file(*limited, "memory.max"), "8388608");
  EXPECT_THAT(inner->processes().value_or(std::vector<int>{}), testing::ElementsAre(child));
}

TEST_F(RealScopes, RefuseDevices) {
  CgroupLimits limits;
  limits.devices = {{.allow = false}, {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "rw"}};
  const pid_t child = spawn([] {
    if (::open("/dev/null", O_RDWR | O_CLOEXEC) < 0) return 1;
    const int zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    return zero >= 0 ? 2 : errno == EPERM ? 0 : 3;
  });
  Cgroup group = start(request(child, limits));
  const auto applied = group.apply(limits);
  ASSERT_TRUE(applied) << applied.error().message();
  reload();
  go();
  EXPECT_EQ(status_of(child), 0);
}

TEST_F(RealScopes, OutliveAnOomKillOfOneProcess) {
  const pid_t bystander = sleeper();
  const Cgroup group = start(request(bystander, {.memory_max = 16 << 20}));
  const pid_t eater = spawn([] {
    const std::size_t size = 64 << 20;
    // The one to go; raising takes no privilege.
    static_cast<void>(write_kernel_file("/proc/self/oom_score_adj", "1000").has_value());
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) std::memset(memory, 1, size);
    return 0;
  });
  ASSERT_TRUE(group.add_process(eater));
  go();
  EXPECT_TRUE(WIFSIGNALED(status_of(eater)));
  ::usleep(1500000);  // for systemd to hear of it
  EXPECT_THAT(group.processes().value_or(std::vector<int>{}), testing::ElementsAre(bystander));
}

}  // namespace
}  // namespace fermata::scope
