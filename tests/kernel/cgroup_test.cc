// Groups on the real kernel, whichever version it has. Needs root and writable hierarchies.
#include "kernel/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>

#include "base/files.h"
#include "base/text.h"

namespace fermata::kernel {
namespace {

using std::chrono::milliseconds;

// More than any group here may have.
int eat_memory() {
  const std::size_t size = 256 << 20;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || ::mlock(memory, size) != 0) std::memset(memory, 1, size);
  return 0;
}

class RealCgroups : public testing::Test {
 protected:
  void SetUp() override {
    auto detected = CgroupMounts::detect();
    ASSERT_TRUE(detected) << detected.error().message();
    mounts_ = *detected;
    name_ = "fermata-test-" + std::to_string(::getpid());
  }
  void TearDown() override {
    const Cgroup top = Cgroup::open(mounts_, name_);
    static_cast<void>(top.kill_all().has_value());
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    const auto removed = top.remove();
    EXPECT_TRUE(removed) << removed.error().message();
    EXPECT_FALSE(top.exists());
  }

  Cgroup make(const std::string& below) {
    auto made = Cgroup::create(mounts_, name_ + below);
    if (!made) ADD_FAILURE() << made.error().message();
    return Cgroup::open(mounts_, name_ + below);
  }

  // A child in the group that runs `body`; it ends with the value of it.
  pid_t spawn(const Cgroup& group, const std::function<int()>& body) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(ends[1]);
      char byte;
      static_cast<void>(::read(ends[0], &byte, 1));  // moved by now
      ::_exit(body());
    }
    const auto added = group.add_process(pid);
    EXPECT_TRUE(added) << added.error().message();
    ::close(ends[0]);
    ::close(ends[1]);
    return pid;
  }
  pid_t spawn_sleeper(const Cgroup& group) {
    return spawn(group, [] { return ::pause(); });
  }
  static int status_of(pid_t pid) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    return status;
  }

  CgroupMounts mounts_;
  std::string name_;
};

TEST_F(RealCgroups, AreMadeTwiceAndRemovedTwice) {
  const Cgroup group = make("/a/b");
  EXPECT_TRUE(group.exists());
  EXPECT_TRUE(Cgroup::create(mounts_, name_ + "/a/b"));
  EXPECT_TRUE(Cgroup::open(mounts_, name_).remove());
  EXPECT_FALSE(group.exists());
  EXPECT_TRUE(group.remove());
}

// Once ten pods at a time failed with ENOSPC: a cpuset was filled from a parent that another command had made
// and not filled yet.
TEST_F(RealCgroups, TakeProcessesBelowAParentThatIsBeingMade) {
  for (const auto& mount : mounts_.v1)
    ASSERT_EQ(::mkdir((mount.path + "/" + name_).c_str(), 0755), 0) << mount.path;
  const pid_t child = spawn_sleeper(make("/pod"));
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  EXPECT_TRUE(WIFSIGNALED(status_of(child)));
}

TEST_F(RealCgroups, KillDescendantsAndNobodyElse) {
  const Cgroup upper = make("/pod"), lower = make("/pod/ctrs"), beside = make("/other");
  const pid_t first = spawn_sleeper(lower), second = spawn_sleeper(lower), bystander = spawn_sleeper(beside);
  EXPECT_THAT(upper.processes().value_or(std::vector<int>{}), testing::UnorderedElementsAre(first, second));
  EXPECT_EQ(upper.wait_empty(milliseconds(20)).value_or(true), false);
  ASSERT_TRUE(upper.kill_all());
  EXPECT_TRUE(WIFSIGNALED(status_of(first)));
  EXPECT_TRUE(WIFSIGNALED(status_of(second)));
  EXPECT_EQ(upper.wait_empty(milliseconds(5000)).value_or(false), true);
  EXPECT_TRUE(upper.remove());
  EXPECT_EQ(::waitpid(bystander, nullptr, WNOHANG), 0);
}

TEST_F(RealCgroups, KillWithoutAVersionTwoTree) {
  CgroupMounts old = mounts_;
  old.unified.clear();
  if (old.v1.empty()) GTEST_SKIP() << "this host has no v1 hierarchies";
  const auto group = Cgroup::create(old, name_ + "/v1");
  ASSERT_TRUE(group);
  const pid_t child = spawn_sleeper(*group);
  ASSERT_TRUE(group->kill_all());
  EXPECT_TRUE(WIFSIGNALED(status_of(child)));
  EXPECT_EQ(group->wait_empty(milliseconds(5000)).value_or(false), true);
  EXPECT_TRUE(group->remove());
}

// v1 alone: eventfd and freezer.state, on a host that has a v2 tree too.
TEST_F(RealCgroups, FreezeAndTellOfAnOomKillWithoutAVersionTwoTree) {
  CgroupMounts old = mounts_;
  old.unified.clear();
  if (old.v1.empty()) GTEST_SKIP() << "this host has no v1 hierarchies";
  auto group = Cgroup::create(old, name_ + "/v1");
  ASSERT_TRUE(group);
  spawn_sleeper(*group);
  const auto frozen = group->freeze(true);
  ASSERT_TRUE(frozen) << frozen.error().message();
  EXPECT_TRUE(group->frozen());
  EXPECT_TRUE(group->freeze(false));
  EXPECT_FALSE(group->frozen());
  ASSERT_TRUE(group->kill_all());
  ASSERT_TRUE(group->apply({.memory_max = 8 << 20}));
  const UniqueFd events = group->open_oom_events();
  ASSERT_TRUE(events.valid());
  EXPECT_TRUE(WIFSIGNALED(status_of(spawn(*group, eat_memory))));
  EXPECT_GE(group->oom_kills(), 1u);
  pollfd wait = {.fd = events.get(), .events = POLLIN | POLLPRI, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 5000), 1);
  EXPECT_EQ(group->wait_empty(milliseconds(5000)).value_or(false), true);
  EXPECT_TRUE(group->remove());
}

TEST_F(RealCgroups, TakeAChildAtItsBirth) {
  const Cgroup group = make("/born");
  auto handles = group.open_handles();
  ASSERT_TRUE(handles) << handles.error().message();
  if (!handles->v2) GTEST_SKIP() << "this host has no v2 tree";
  clone_args arguments = {};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<unsigned>(handles->v2.get());
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
  if (pid == 0) {
    for (const auto& procs : handles->v1_tasks)
      if (::write(procs.get(), "0", 1) != 1) ::_exit(errno);
    ::pause();
    ::_exit(0);
  }
  ASSERT_GT(pid, 0);
  EXPECT_THAT(group.processes().value_or(std::vector<int>{}), testing::ElementsAre(pid));
  // Every hierarchy, once it has moved itself.
  const std::string path = "/proc/" + std::to_string(pid) + "/cgroup";
  std::size_t inside = 0, lines = 0;
  for (int tries = 0; tries < 2000 && (lines == 0 || inside < mounts_.v1.size() + 1); ++tries) {
    inside = lines = 0;
    const std::string text = read_file(path).value_or("");
    for (const auto line : split(text, '\n')) {
      ++lines;
      if (line.size() > name_.size() && line.find(name_ + "/born") != std::string_view::npos) ++inside;
    }
    ::usleep(1000);
  }
  EXPECT_EQ(inside, mounts_.v1.size() + 1);
}

TEST_F(RealCgroups, LimitTheNumberOfProcesses) {
  Cgroup group = make("/pids");
  const auto applied = group.apply({.pids_max = 1});
  ASSERT_TRUE(applied) << applied.error().message();
  const pid_t child = spawn(group, [] {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) ::_exit(0);
    return grandchild < 0 && errno == EAGAIN ? 7 : 1;
  });
  const int status = status_of(child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

TEST_F(RealCgroups, CountProcessesMemoryAndTime) {
  const Cgroup group = make("/figures");
  const pid_t child = spawn_sleeper(group);
  EXPECT_EQ(group.pids_current(), 1u);
  EXPECT_TRUE(group.memory_current().has_value());
  EXPECT_TRUE(group.cpu_usage_usec().has_value());
  EXPECT_EQ(group.oom_kills(), 0u);
  ::kill(child, SIGKILL);
}

TEST_F(RealCgroups, CountEverythingThatTheHostHas) {
  Cgroup group = make("/stats");
  const std::uint64_t limit = 64 << 20;
  const auto applied =
      group.apply({.memory_max = limit, .cpu_quota = 50000, .cpu_period = 100000, .pids_max = 9});
  ASSERT_TRUE(applied) << applied.error().message();
  const pid_t child = spawn(group, [] {
    for (;;) ::getppid();  // busy
    return 0;
  });
  auto stats = group.stats();
  // Time is accounted for at the scheduler's ticks.
  for (int tries = 0; tries < 500 && stats && stats->cpu && stats->cpu->usage == 0; ++tries) {
    ::usleep(10000);
    stats = group.stats();
  }
  ASSERT_TRUE(stats) << stats.error().message();
  ASSERT_TRUE(stats->cpu && stats->memory && stats->pids && stats->cpuset);
  EXPECT_GT(stats->cpu->usage, 0u);
  EXPECT_TRUE(stats->cpu->user && stats->cpu->system && stats->cpu->periods);
  EXPECT_EQ(stats->memory->memory.limit, limit);
  EXPECT_FALSE(stats->memory->raw.empty());
  EXPECT_LE(stats->memory->working_set, stats->memory->memory.usage);
  EXPECT_EQ(stats->pids->current, 1u);
  EXPECT_EQ(stats->pids->limit, 9u);
  EXPECT_FALSE(stats->cpuset->cpus.empty());
  ::kill(child, SIGKILL);
}

TEST_F(RealCgroups, TellOfAnOomKill) {
  Cgroup group = make("/memory");
  const auto applied = group.apply({.memory_max = 8 << 20});
  ASSERT_TRUE(applied) << applied.error().message();
  const UniqueFd events = group.open_oom_events();
  ASSERT_TRUE(events.valid());
  const pid_t child = spawn(group, eat_memory);
  const int status = status_of(child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_GE(group.oom_kills(), 1u);
  pollfd wait = {.fd = events.get(), .events = POLLIN | POLLPRI, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 5000), 1);
}

TEST_F(RealCgroups, TakeCpuLimits) {
  Cgroup group = make("/cpu");
  const auto applied = group.apply({.cpu_shares = 512, .cpu_quota = 50000, .cpuset_cpus = "0"});
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(status_of(spawn(group, [] { return ::sysconf(_SC_NPROCESSORS_ONLN) > 0 ? 0 : 1; })), 0);
  EXPECT_FALSE(group.apply({.cpuset_cpus = "9999"}));
}

TEST_F(RealCgroups, TakeQuotaPeriodAndBurstInAnyDirection) {
  Cgroup group = make("/bandwidth");
  struct Bandwidth {
    std::int64_t quota;
    std::uint64_t period, burst;
  };
  for (const auto& [quota, period, burst] :
       {Bandwidth{50000, 100000, 40000}, Bandwidth{10000, 20000, 5000}, Bandwidth{200000, 1000000, 150000},
        Bandwidth{2000, 100000, 0}, Bandwidth{-1, 100000, 0}}) {
    const auto applied = group.apply({.cpu_quota = quota, .cpu_period = period, .cpu_burst = burst});
    ASSERT_TRUE(applied) << applied.error().message();
  }
  EXPECT_FALSE(group.apply({.cpu_quota = 10000, .cpu_period = 100000, .cpu_burst = 20000}));
}

TEST_F(RealCgroups, BecomeIdleAndBack) {
  Cgroup group = make("/idle");
  for (const std::int64_t idle : {1, 1, 0}) {
    const auto applied = group.apply({.cpu_shares = 512, .cpu_idle = idle});
    ASSERT_TRUE(applied) << applied.error().message();
  }
}

TEST_F(RealCgroups, RaiseAndLowerMemory) {
  Cgroup group = make("/resize");
  for (const std::uint64_t size : {64u << 20, 128u << 20, 32u << 20}) {
    const auto applied = group.apply({.memory_max = size, .memory_swap_max = size});
    ASSERT_TRUE(applied) << applied.error().message();
  }
}

TEST_F(RealCgroups, RefuseDevices) {
  Cgroup group = make("/devices");
  const DeviceRule null = {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "rw"};
  const auto applied = group.apply({.devices = {{.allow = false}, null}});
  ASSERT_TRUE(applied) << applied.error().message();
  const auto child = [&] {
    return spawn(group, [] {
      if (::open("/dev/null", O_RDWR | O_CLOEXEC) < 0) return 1;
      const int zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
      return zero >= 0 ? 2 : errno == EPERM ? 0 : 3;
    });
  };
  EXPECT_EQ(status_of(child()), 0);
  // The second set of rules takes the place of the first.
  const auto again = group.apply({.devices = {{.allow = true}}});
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(WEXITSTATUS(status_of(child())), 2);
}

TEST_F(RealCgroups, FreezeAndThaw) {
  const Cgroup group = make("/freezer");
  const pid_t child = spawn(group, [] {
    for (;;) ::getppid();  // busy
    return 0;
  });
  const auto frozen = group.freeze(true);
  ASSERT_TRUE(frozen) << frozen.error().message();
  EXPECT_TRUE(group.frozen());
  const auto before = group.cpu_usage_usec();
  ::usleep(50000);
  EXPECT_LE(group.cpu_usage_usec().value_or(0) - before.value_or(0), 5000u);
  EXPECT_TRUE(group.freeze(false));
  EXPECT_FALSE(group.frozen());
  ::kill(child, SIGKILL);
}

}  // namespace
}  // namespace fermata::kernel
