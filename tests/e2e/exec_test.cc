// exec: commands in a running container, their exit codes, streams and rights, and their end by a timeout.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <set>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

constexpr auto kTerminal = Background::Streams::terminal;

class Exec : public EndToEnd {
 protected:
  // Host pids of what is in the container's PID namespace.
  static std::set<int> inside(const std::string& name) {
    const auto wanted = namespace_of(host().pid_of(name));
    std::set<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const int pid = std::atoi(entry.path().filename().c_str());
      if (pid > 0 && namespace_of(pid) == wanted) found.insert(pid);
    }
    return found;
  }
  static ino_t namespace_of(int pid) {
    struct stat info {};
    return ::stat(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), &info) == 0 ? info.st_ino : 0;
  }
  // They have no namespaces any more, but the container's /proc shows them.
  static std::size_t zombies(const std::string& name) {
    std::size_t count = 0;
    const std::string proc = "/proc/" + std::to_string(host().pid_of(name)) + "/root/proc";
    for (const auto& entry : std::filesystem::directory_iterator(proc))
      if (contains(slurp(entry.path().string() + "/stat"), ") Z ")) ++count;
    return count;
  }
  // Where the groups of the container's commands are; only while it runs.
  static std::string group_of(const std::string& name) {
    for (const auto& line : lines_of(slurp("/proc/" + std::to_string(host().pid_of(name)) + "/cgroup")))
      for (const std::string tree : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"})
        if (line.starts_with("0::") && std::filesystem::exists(tree + "/cgroup.procs"))
          return tree + line.substr(3);
    return "";
  }
  static std::size_t exec_groups(const std::string& directory) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
      if (entry.path().filename().string().starts_with("exec-")) ++count;
    return count;
  }
  static bool anything_sleeps(const std::string& name, const std::string& seconds) {
    for (const int pid : inside(name))
      if (slurp("/proc/" + std::to_string(pid) + "/cmdline") == std::string("sleep\0", 6) + seconds + '\0')
        return true;
    return false;
  }
};

// Daemons of two kinds, ignored signals, fifty children, and one that keeps forking.
constexpr char kTangle[] =
    "trap '' TERM HUP INT; "
    "i=0; while [ $i -lt 50 ]; do sleep 1000 & i=$((i+1)); done; "
    "(setsid sh -c 'trap \"\" TERM; sleep 1001 & sleep 1002' &) ; "
    "(setsid sh -c 'while :; do (sleep 0.01 &) ; sleep 0.01; done' &) ; "
    "echo tangled; sleep 1003";

TEST_F(Exec, ATimeoutTakesAllThatTheCommandHasStartedAndNothingElse) {
  must({"run", "-d", "--name", "job", kBase, "sh", "-c", "sleep 2000 & sleep 2001"});
  auto bystander = host().start({"exec", "-i", "job", "sh", "-c", "sleep 2002 & echo here; cat"});
  ASSERT_TRUE(bystander->read_until("here"));
  ASSERT_TRUE(eventually([] { return inside("job").size() == 5; })) << inside("job").size();
  const auto before = inside("job");

  const Outcome outcome = fermata({"exec", "--timeout", scaled_flag(0.7), "job", "sh", "-c", kTangle});
  EXPECT_EQ(inside("job"), before);  // at once, not after a while
  EXPECT_EQ(0U, zombies("job"));
  EXPECT_EQ(124, outcome.code);
  EXPECT_EQ("tangled\n", outcome.out);
  EXPECT_THAT(outcome.err, HasSubstr("exec in container 'job' did not end within " + scaled_flag(0.7)));
  EXPECT_LT(outcome.took, scaled(2.0));

  bystander->write("still");
  EXPECT_TRUE(bystander->read_until("still"));
  EXPECT_EQ(0, bystander->finish().code);
  EXPECT_TRUE(host().is_running("job"));
}

TEST_F(Exec, ATimeoutHoldsForADetachedCommandAndOneWhoseClientIsGone) {
  start_probe("job", {}, {"wait"});
  must({"exec", "-d", "--timeout", "200ms", "job", "sleep", "1000"});
  {
    auto client = host().start(
        {"exec", "--timeout", scaled_flag(0.3), "job", "sh", "-c", "sleep 1001 & echo up; wait"});
    ASSERT_TRUE(client->read_until("up"));
  }  // killed
  EXPECT_TRUE(eventually([] { return inside("job").size() == 1; }));
}

TEST_F(Exec, ATimeoutHoldsWhileTheContainerIsPaused) {
  start_probe("job", {}, {"wait"});
  auto command =
      host().start({"exec", "--timeout", scaled_flag(1), "job", "sh", "-c", "sleep 1000 & echo up; wait"});
  ASSERT_TRUE(command->read_until("up"));
  must({"pause", "job"});
  EXPECT_EQ(124, command->wait().code);
  EXPECT_EQ(1U, inside("job").size());
  must({"unpause", "job"});
  EXPECT_EQ(0, fermata({"exec", "job", "true"}).code);
}

TEST_F(Exec, WhatEndsInTimeKeepsItsExitCode) {
  start_probe("job", {}, {"wait"});
  EXPECT_EQ(5, fermata({"exec", "--timeout", "1m", "job", "sh", "-c", "exit 5"}).code);
  EXPECT_EQ(137, fermata({"exec", "--timeout", "1m", "job", "sh", "-c", "kill -9 $$"}).code);
}

TEST_F(Exec, TimeoutsThatAreNoneAreRefused) {
  start_probe("job", {}, {"wait"});
  for (const char* text : {"0", "-1s", "5", "soon", ""}) {
    const Outcome outcome = fermata({"exec", std::string("--timeout=") + text, "job", "true"});
    EXPECT_NE(0, outcome.code) << text;
    EXPECT_THAT(outcome.err, HasSubstr("--timeout")) << text;
  }
}

TEST_F(Exec, ExitCodesAreTheCommands) {
  start_probe("job", {}, {"wait"});
  EXPECT_EQ(0, fermata({"exec", "job", "true"}).code);
  EXPECT_EQ(3, fermata({"exec", "job", "sh", "-c", "exit 3"}).code);
  EXPECT_EQ(125, fermata({"exec", "job", "sh", "-c", "exit 125"}).code);
  EXPECT_EQ(143, fermata({"exec", "job", "probe", "kill-self", "15"}).code);
  EXPECT_EQ(137, fermata({"exec", "job", "probe", "kill-self", "9"}).code);
  const Outcome missing = fermata({"exec", "job", "no-such-program"});
  EXPECT_EQ(127, missing.code);
  EXPECT_THAT(missing.err, HasSubstr("executable file not found in $PATH"));
  const Outcome directory = fermata({"exec", "job", "/etc"});
  EXPECT_EQ(126, directory.code);
  EXPECT_THAT(directory.err, HasSubstr("permission denied"));
  // A failure is told before the process that met it has ended.
  EXPECT_TRUE(eventually([] { return inside("job").size() == 1 && zombies("job") == 0; }));
}

TEST_F(Exec, OutputEndsAlthoughAChildHoldsIt) {
  start_probe("job", {}, {"wait"});
  const Outcome outcome = fermata({"exec", "job", "sh", "-c", "sleep 1000 & echo done"});
  EXPECT_EQ(0, outcome.code);
  EXPECT_EQ("done\n", outcome.out);
  EXPECT_LT(outcome.took, scaled(2.0));
  EXPECT_EQ(2U, inside("job").size());  // as docker has it: it goes on
}

TEST_F(Exec, OutputEndsWithTheCommandAndInputReachesIt) {
  start_probe("job", {}, {"wait"});
  const Outcome outcome = fermata({"exec", "-i", "job", "sh", "-c", "cat; echo err >&2"}, {.input = "in\n"});
  EXPECT_EQ("in\n", outcome.out);
  EXPECT_EQ("err\n", outcome.err);
  EXPECT_LT(outcome.took, scaled(1.0));
}

TEST_F(Exec, TheTerminalIsTheCommandsOwn) {
  start_probe("job", {}, {"wait"});
  auto shell = host().start({"exec", "-it", "job", "sh"}, kTerminal);
  shell->write("set -- $(cat /proc/$$/stat); echo leader-$(($6 == $$))-$(($8 == $$)); stty size\r");
  EXPECT_TRUE(shell->read_until("leader-1-1")) << shell->out();  // session, and the terminal's group
  EXPECT_TRUE(shell->read_until("24 80")) << shell->out();
  shell->resize(40, 132);
  shell->signal(SIGWINCH);
  shell->write("sleep 0.2; stty size\r");
  EXPECT_TRUE(shell->read_until("40 132")) << shell->out();
  shell->write("sleep 1000\r");
  ASSERT_TRUE(eventually([] { return anything_sleeps("job", "1000"); }));
  shell->write("\x03");  // ^C interrupts the command of the shell alone
  shell->write("exit 7\r");
  EXPECT_EQ(7, shell->wait().code);
}

TEST_F(Exec, ATimeoutEndsATerminalToo) {
  start_probe("job", {}, {"wait"});
  auto shell = host().start({"exec", "-it", "--timeout", scaled_flag(0.5), "job", "sh"}, kTerminal);
  shell->write("sleep 1000 &\r");
  const Outcome outcome = shell->wait();
  EXPECT_EQ(124, outcome.code);
  EXPECT_THAT(outcome.out, HasSubstr("did not end within " + scaled_flag(0.5)));
  EXPECT_EQ(1U, inside("job").size());
}

TEST_F(Exec, UserDirectoryEnvironmentAndCapabilities) {
  start_probe("job", {}, {"wait"});
  EXPECT_EQ("1000:1001 29 44 /home/user", must({"exec", "-u", "web", "job", "sh", "-c",
                                                "echo $(id -u):$(id -g) $(id -G | cut -d' ' -f2-) $HOME"}));
  EXPECT_EQ("/tmp", must({"exec", "-w", "/tmp", "job", "pwd"}));
  EXPECT_EQ("yes", must({"exec", "-e", "ANSWER=yes", "job", "sh", "-c", "echo $ANSWER"}));
  const std::string plain = must({"exec", "job", "probe", "status"});
  EXPECT_THAT(plain, HasSubstr("CapEff:\t00000000a80425fb"));
  EXPECT_THAT(plain, HasSubstr("Seccomp:\t2"));
  const std::string privileged = must({"exec", "--privileged", "job", "probe", "status"});
  EXPECT_THAT(privileged, Not(HasSubstr("CapEff:\t00000000a80425fb")));
  EXPECT_THAT(privileged, HasSubstr("Seccomp:\t0"));
  const std::string user = must({"exec", "-u", "1000", "job", "probe", "status"});
  EXPECT_THAT(user, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(user, HasSubstr("SigBlk:\t0000000000000000"));
}

TEST_F(Exec, ATimeoutReachesAnotherUsersProcesses) {
  start_probe("job", {}, {"wait"});
  EXPECT_EQ(124, fermata({"exec", "-u", "web", "--timeout", scaled_flag(0.3), "job", "sh", "-c",
                          "(setsid sleep 1000 &); sleep 1001"})
                     .code);
  EXPECT_EQ(1U, inside("job").size());
}

TEST_F(Exec, ZombiesOfAShellAreReapedWhileItRuns) {
  start_probe("job", {}, {"wait"});
  auto shell =
      host().start({"exec", "-i", "job", "sh", "-c",
                    "i=0; while [ $i -lt 30 ]; do (sleep 0.05 &); i=$((i+1)); done; echo up; exec cat"});
  ASSERT_TRUE(shell->read_until("up"));
  EXPECT_TRUE(eventually([] { return inside("job").size() == 3 && zombies("job") == 0; }));
  EXPECT_EQ(0, shell->finish().code);
}

TEST_F(Exec, ItsGroupIsBelowTheContainersAndGoesWithIt) {
  start_probe("job", {}, {"wait"});
  const std::string group = group_of("job");
  EXPECT_EQ(0U, exec_groups(group));
  EXPECT_THAT(must({"exec", "job", "cat", "/proc/self/cgroup"}), HasSubstr("0::/exec-"));
  EXPECT_EQ(127, fermata({"exec", "job", "no-such-program"}).code);
  EXPECT_EQ(124, fermata({"exec", "--timeout", "100ms", "job", "sleep", "1000"}).code);
  EXPECT_TRUE(eventually([&] { return exec_groups(group) == 0; }));
  // What lives on keeps its group, which the removal of the container takes along.
  must({"exec", "-d", "job", "sleep", "1000"});
  must({"exec", "job", "sh", "-c", "sleep 1001 &"});
  EXPECT_EQ(2U, exec_groups(group));
  must({"rm", "-f", "job"});
  EXPECT_FALSE(std::filesystem::exists(group));
}

// Then no process may be in its group any more: those of exec stand beside those that it has moved.
TEST_F(Exec, AContainerMayHandItsControllersDown) {
  if (!std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers")) GTEST_SKIP() << "v1 hierarchies";
  must({"run", "-d", "--name", "job", "--privileged", kBase, "sh", "-c",
        "cd /sys/fs/cgroup/$(sed -n 's/^0:://p' /proc/self/cgroup) && mkdir own && echo 1 > own/cgroup.procs "
        "&& "
        "echo +pids > cgroup.subtree_control && echo ready; sleep 2000"});
  ASSERT_TRUE(logs_show("job", "ready"));
  EXPECT_EQ("pids",
            must({"exec", "job", "sh", "-c",
                  "cat /sys/fs/cgroup/$(sed -n 's/^0:://p' /proc/1/cgroup)/../cgroup.subtree_control"}));
  EXPECT_EQ(124, fermata({"exec", "--timeout", "300ms", "job", "sleep", "1000"}).code);
}

TEST_F(Exec, DoesNotKeepTheContainerFromStopping) {
  start_probe("job", {}, {"trap"});
  auto command = host().start({"exec", "job", "sh", "-c", "trap '' TERM; echo up; sleep 1000"});
  ASSERT_TRUE(command->read_until("up"));
  const Outcome stopped = fermata({"stop", "job"});
  EXPECT_TRUE(stopped.ok()) << stopped;
  EXPECT_LT(stopped.took, scaled(2.0));
  EXPECT_EQ(137, command->wait().code);
  must({"start", "job"});
  EXPECT_EQ(0, fermata({"exec", "job", "true"}).code);
}

TEST_F(Exec, EndsWithAContainerThatSharesAPidNamespace) {
  must({"run", "-d", "--name", "infra", kPause});
  must({"run", "-d", "--name", "app", "--net=container:infra", "--pid=container:infra", kBase, "sleep",
        "2000"});
  auto command = host().start({"exec", "app", "sh", "-c", "sleep 1000 & echo up; wait"});
  ASSERT_TRUE(command->read_until("up"));
  must({"kill", "app"});
  EXPECT_EQ(137, command->wait().code);
  EXPECT_TRUE(host().is_running("infra"));
  EXPECT_TRUE(eventually([] { return inside("infra").size() == 1; }));
}

TEST_F(Exec, TheContainersRootCannotKeepItAlive) {
  must({"run", "-d", "--name", "job", kBase, "sh", "-c", "while :; do sleep 0.1; done"});
  // It stops its supervisor, which has said by then that the command runs: then the monitor acts.
  const Outcome outcome = fermata({"exec", "--timeout", scaled_flag(0.3), "job", "sh", "-c",
                                   "read a b c supervisor rest < /proc/$$/stat; sleep 1000 & sleep 1001 & "
                                   "sleep 0.1; kill -STOP $supervisor; wait"});
  EXPECT_EQ(124, outcome.code) << outcome.err;
  EXPECT_TRUE(eventually([] { return !anything_sleeps("job", "1000") && !anything_sleeps("job", "1001"); }));
  // It kills its supervisor: that is the end.
  EXPECT_EQ(137, fermata({"exec", "job", "sh", "-c",
                          "read a b c supervisor rest < /proc/$$/stat; (setsid sleep 1000 &); sleep 0.3; "
                          "kill -KILL $supervisor; sleep 1001"})
                     .code);
  EXPECT_TRUE(eventually([] { return !anything_sleeps("job", "1000") && !anything_sleeps("job", "1001"); }));
  EXPECT_TRUE(host().is_running("job"));
}

}  // namespace
}  // namespace fermata::e2e
