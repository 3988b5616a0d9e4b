// Commands in a running container under a supervisor (init::Op::supervise), on the real kernel. Needs root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>

#include <chrono>
#include <set>
#include <thread>

#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "kernel/support/init_process.h"
#include "kernel/support/outcome.h"

namespace fermata {
namespace {

using test::BusyboxRoot;
using test::InitProcess;
using test::slurp;
using test::status_line;
using testing::HasSubstr;
using testing::Not;

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 2000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// A container of one sleeping process, and a cgroup for commands in it.
class Supervise : public testing::Test {
 protected:
  void SetUp() override {
    const auto mounts = kernel::CgroupMounts::detect();
    ASSERT_TRUE(mounts);
    ASSERT_FALSE(mounts->unified.empty());
    make_group(mounts->unified);
    const auto plan = runtime::plan_container(root_.spec("echo up; exec sleep 1000"));
    ASSERT_TRUE(plan);
    container_.emplace(*plan);
    ASSERT_TRUE(container_->started()) << container_->failed_operation();
    ASSERT_EQ(container_->some_output(), "up\n");
    pidfd_ = kernel::open_pidfd(container_->pid());
    pid_namespace_ = UniqueFd(::open(of_container("ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  }
  void TearDown() override {
    // The container is as it was, whatever became of its guests.
    pollfd ended = {pidfd_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 0), 0);
    container_.reset();
    group_directory_.reset();
    others_.push_back(group_);
    for (const std::string& group : others_)
      EXPECT_TRUE(eventually([&] { return ::rmdir(group.c_str()) == 0; })) << group << ": " << errno;
  }

  void make_group(const std::string& hierarchy) {
    if (!group_.empty()) ::rmdir(group_.c_str());
    group_ = hierarchy + "/fermata-supervise-test-" + std::to_string(::getpid());
    ASSERT_EQ(::mkdir(group_.c_str(), 0755), 0) << errno;
    group_directory_ = UniqueFd(::open(group_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  // One for what does not belong to the command, or has left it.
  std::string make_other() {
    others_.push_back(group_ + "-other");
    EXPECT_EQ(::mkdir(others_.back().c_str(), 0755), 0);
    return others_.back();
  }
  std::string of_container(const std::string& name) const {
    return "/proc/" + std::to_string(container_->pid()) + "/" + name;
  }

  std::unique_ptr<InitProcess> exec(const std::vector<std::string>& arguments, bool freezer = false) {
    oci::Process process = root_.spec("").process;
    process.args = arguments;
    auto plan = runtime::plan_exec(
        process,
        {.pidfd = pidfd_.get(),
         .pid_namespace = pid_namespace_.get(),
         .namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
         .cgroup = {.directory = group_directory_.get(), .freezer = freezer, .v1_tasks = {}}},
        -1);
    EXPECT_TRUE(plan);
    return std::make_unique<InitProcess>(*plan);
  }
  std::unique_ptr<InitProcess> shell(const std::string& script, bool freezer = false) {
    return exec({"sh", "-c", script}, freezer);
  }

  std::vector<std::string> members() const {
    const std::string text = slurp(group_ + "/cgroup.procs");
    std::vector<std::string> pids;
    for (const auto line : split(trim(text), '\n'))
      if (!line.empty()) pids.emplace_back(line);
    return pids;
  }
  static void move(const std::string& pid, const std::string& group) {
    std::ofstream(group + "/cgroup.procs") << pid << std::flush;
  }
  // Host pids in the container's PID namespace; zombies too.
  std::set<int> inside() const {
    struct stat wanted = {};
    EXPECT_EQ(::fstat(pid_namespace_.get(), &wanted), 0);
    std::set<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const auto pid = parse_unsigned(entry.path().filename().string());
      struct stat its = {};
      // A zombie has lost its links, but for those that init's parent may follow: told by NSpid instead.
      if (!pid) continue;
      if (::stat((entry.path() / "ns/pid").c_str(), &its) == 0 ? its.st_ino == wanted.st_ino
                                                               : is_nested(*pid))
        found.insert(static_cast<int>(*pid));
    }
    return found;
  }
  static bool is_nested(std::uint64_t pid) {
    return status_line(slurp("/proc/" + std::to_string(pid) + "/status"), "NSpid").find('\t') !=
           std::string::npos;
  }

  BusyboxRoot root_;
  std::string group_;
  std::vector<std::string> others_;
  UniqueFd group_directory_, pidfd_, pid_namespace_;
  std::optional<InitProcess> container_;
};

// Daemons of two kinds, ignored signals, fifty children, and one that keeps forking.
constexpr char kTangle[] =
    "trap '' TERM HUP INT; "
    "i=0; while [ $i -lt 50 ]; do sleep 1000 & i=$((i+1)); done; "
    "(busybox setsid sh -c 'trap \"\" TERM; sleep 1001 & sleep 1002' &) ; "
    "(busybox setsid sh -c 'while :; do (sleep 0.01 &) ; sleep 0.01; done' &) ; "
    "echo tangled; sleep 1003";

TEST_F(Supervise, EndsWithTheCommandsExitCode) {
  for (const auto& [script, code] : {std::pair{"exit 0", 0},
                                     {"exit 3", 3},
                                     {"exit 125", 125},
                                     {"kill -9 $$", 137},
                                     {"kill -15 $$", 143}}) {
    const auto command = shell(script);
    EXPECT_TRUE(command->started()) << command->failed_operation();
    EXPECT_EQ(command->wait(), code) << script;
  }
  EXPECT_EQ(inside().size(), 1u);
}

TEST_F(Supervise, ReportsWhatCannotBeExecuted) {
  const auto command = exec({"no-such-program"});
  EXPECT_FALSE(command->started());
  ASSERT_TRUE(command->failure());
  EXPECT_EQ(command->failure()->error, ENOENT);
  EXPECT_EQ(command->failed_operation(), "execute 'no-such-program'");
  EXPECT_EQ(command->wait(), 125);
  EXPECT_EQ(inside().size(), 1u);  // not even a zombie
}

TEST_F(Supervise, TellsOfTheCommandAndNotOfItself) {
  const auto command = shell("echo $$ $PPID; sleep 1000 & wait");
  ASSERT_TRUE(command->started());
  const std::string numbers = command->some_output();
  EXPECT_THAT(numbers, testing::StartsWith(std::to_string(command->command_pid()) + " "));
  EXPECT_THAT(members(), Not(testing::Contains(std::to_string(command->pid()))));
  ASSERT_EQ(kernel::send_signal(command->command(), SIGUSR1), 0);
  EXPECT_EQ(command->wait(), 128 + SIGUSR1);
}

TEST_F(Supervise, AnOrderTakesAllThatTheCommandHasStartedAndNothingElse) {
  const auto bystander = shell("sleep 1000 & echo here; wait");
  ASSERT_TRUE(bystander->started());
  EXPECT_EQ(bystander->some_output(), "here\n");
  // In a group of its own, as every command has.
  const std::string other = make_other();
  for (const std::string& pid : members()) move(pid, other);
  const auto before = inside();

  const auto command = shell(kTangle);
  ASSERT_TRUE(command->started());
  EXPECT_EQ(command->some_output(), "tangled\n");
  EXPECT_GT(inside().size(), before.size() + 50);
  ASSERT_TRUE(command->order_end());
  EXPECT_EQ(command->wait(), 137);
  EXPECT_EQ(inside(), before);  // when it has ended, all are reaped
  EXPECT_EQ(slurp(group_ + "/cgroup.procs"), "");
  ASSERT_TRUE(bystander->order_end());
  EXPECT_EQ(bystander->wait(), 137);
}

TEST_F(Supervise, AMonitorThatDiesIsAnOrder) {
  const auto before = inside();
  const auto command = shell(kTangle);
  ASSERT_TRUE(command->started());
  EXPECT_EQ(command->some_output(), "tangled\n");
  command->close_reports();
  EXPECT_EQ(command->wait(), 137);
  EXPECT_EQ(inside(), before);
}

TEST_F(Supervise, WhatHasLeftTheGroupIsFoundAsAChild) {
  const auto before = inside();
  const auto command = shell("(busybox setsid sh -c 'sleep 1001 & sleep 1000' &); echo up; sleep 1002");
  ASSERT_TRUE(command->started());
  EXPECT_EQ(command->some_output(), "up\n");
  const std::string outside = make_other();
  const auto strays = [&] {
    std::vector<std::string> found;
    for (const std::string& pid : members())
      if (slurp("/proc/" + pid + "/cmdline").starts_with("sleep")) found.push_back(pid);
    return found;
  };
  ASSERT_TRUE(eventually([&] { return strays().size() == 3; }));
  for (const std::string& pid : strays()) move(pid, outside);
  ASSERT_TRUE(command->order_end());
  EXPECT_EQ(command->wait(), 137);
  EXPECT_EQ(inside(), before);
}

TEST_F(Supervise, ReapsWhatIsLeftToItMeanwhile) {
  const auto command = shell(
      "i=0; while [ $i -lt 20 ]; do (sleep 0.02 &); i=$((i+1)); done; echo up; "
      "read line < /dev/zero");
  ASSERT_TRUE(command->started());
  EXPECT_EQ(command->some_output(), "up\n");
  EXPECT_TRUE(eventually([&] { return inside().size() == 3; })) << inside().size();
  ASSERT_TRUE(command->order_end());
  EXPECT_EQ(command->wait(), 137);
}

TEST_F(Supervise, WhatIsLeftRunningBecomesAChildOfTheFirstProcess) {
  const auto command = shell("sleep 1000 & echo $!");
  ASSERT_TRUE(command->started());
  const std::string inner = command->some_output();
  EXPECT_EQ(command->wait(), 0);
  const auto now = inside();
  ASSERT_EQ(now.size(), 2u);
  const int left = *now.begin() == container_->pid() ? *now.rbegin() : *now.begin();
  EXPECT_EQ(status_line(slurp("/proc/" + std::to_string(left) + "/status"), "PPid"),
            std::to_string(container_->pid()));
  ASSERT_EQ(::kill(left, SIGKILL), 0);
  // `sleep` does not reap; the container's end does.
}

TEST_F(Supervise, TheOutputEndsWithTheCommand) {
  const auto command = shell("echo all");
  ASSERT_TRUE(command->started());
  EXPECT_EQ(command->output(), "all\n");  // to the end of the pipe, which the supervisor would hold
  EXPECT_EQ(command->wait(), 0);
}

TEST_F(Supervise, KeepsNothingThatAContainerCouldUse) {
  const auto command = shell("echo up; read line < /dev/zero");
  ASSERT_TRUE(command->started());
  EXPECT_EQ(command->some_output(), "up\n");
  const std::string proc = "/proc/" + std::to_string(command->pid());
  ASSERT_TRUE(eventually([&] { return status_line(slurp(proc + "/status"), "Seccomp") == "2"; }));
  const std::string status = slurp(proc + "/status");
  EXPECT_EQ(status_line(status, "Name"), "fermata-exec");
  EXPECT_EQ(status_line(status, "CapPrm"), "0000000000000020");
  EXPECT_EQ(status_line(status, "CapEff"), "0000000000000020");
  EXPECT_EQ(status_line(status, "CapInh"), "0000000000000000");
  EXPECT_EQ(status_line(status, "NoNewPrivs"), "1");
  std::set<std::string> open;
  for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd"))
    open.insert(entry.path().filename());
  EXPECT_EQ(open, (std::set<std::string>{"0", "1", "3"}));
  EXPECT_EQ(std::filesystem::read_symlink(proc + "/ns/mnt"),
            std::filesystem::read_symlink(of_container("ns/mnt")));
  // Not dumpable: its /proc files are root's, and not to be read by a root with fewer privileges.
  const auto look = shell("cat /proc/$(cat /proc/" + std::to_string(command->command_pid()) +
                          "/status | grep PPid | head -c 100 | sh -c 'read a b; echo $b')/environ 2>&1");
  ASSERT_TRUE(look->started());
  EXPECT_THAT(look->output(), HasSubstr("Permission denied"));
  EXPECT_EQ(look->wait(), 1);
  ASSERT_TRUE(command->order_end());
  EXPECT_EQ(command->wait(), 137);
}

TEST_F(Supervise, SurvivesWhatTheContainersRootMaySend) {
  const auto command = shell(
      "read a b c supervisor rest < /proc/$$/stat; trap '' TERM HUP USR1; "
      "for s in TERM HUP INT USR1 ALRM ABRT; do kill -$s $supervisor; done; "
      "kill -TERM $supervisor; sleep 0.1; [ -d /proc/$supervisor ] && exit 7");
  ASSERT_TRUE(command->started());
  EXPECT_EQ(command->wait(), 7);
}

TEST_F(Supervise, TheCommandDiesWithASupervisorThatIsKilled) {
  // Not before it has reported.
  const auto command = shell(
      "read a b c supervisor rest < /proc/$$/stat; sleep 0.2; kill -KILL $supervisor; "
      "sleep 1000");
  ASSERT_TRUE(command->started());
  ASSERT_GE(command->command(), 0);
  EXPECT_EQ(command->wait(), 137);
  pollfd ended = {command->command(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 5000), 1);
  // The shell's own child is left: the group's directory is how the monitor takes it.
  std::ofstream(group_ + "/cgroup.kill") << "1" << std::flush;
}

TEST_F(Supervise, WithoutAVersionTwoTreeTheFreezerServes) {
  const auto mounts = kernel::CgroupMounts::detect();
  const auto freezer = std::find_if(mounts->v1.begin(), mounts->v1.end(),
                                    [](const auto& mount) { return mount.controllers == "freezer"; });
  if (freezer == mounts->v1.end()) GTEST_SKIP() << "no v1 freezer";
  make_group(freezer->path);
  const auto before = inside();
  const auto command = shell(kTangle, true);
  ASSERT_TRUE(command->started()) << command->failed_operation();
  EXPECT_EQ(command->some_output(), "tangled\n");
  EXPECT_GT(members().size(), 50u);
  ASSERT_TRUE(command->order_end());
  EXPECT_EQ(command->wait(), 137);
  EXPECT_EQ(inside(), before);
}

TEST_F(Supervise, AGroupThatIsGoneIsAFailureOfTheOperation) {
  ASSERT_EQ(::rmdir(group_.c_str()), 0);
  const auto command = shell("true");
  EXPECT_FALSE(command->started());
  ASSERT_TRUE(command->failure());
  EXPECT_EQ(command->failed_operation(), "start the command in a cgroup of its own");
  EXPECT_EQ(command->wait(), 125);
  ASSERT_EQ(::mkdir(group_.c_str(), 0755), 0);
}

}  // namespace
}  // namespace fermata
