// kill -9 of any part at any moment: nothing runs unwatched, and the next command finds its way.
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <thread>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

class Crash : public EndToEnd {
 protected:
  // Rounds per command; each at another random moment of its run.
  const int rounds_ = rounds(15);

  void SetUp() override {
    EndToEnd::SetUp();
    if (!IsSkipped()) port_ = free_port();
  }

  // Runs `arguments`, killed after a random part of the time that it takes undisturbed.
  void killed_somewhere(const Arguments& arguments, Seconds usual) {
    const auto program = host().start(arguments);
    std::uniform_real_distribution<double> part(0, 1.1);
    std::this_thread::sleep_for(usual * part(random_));
    program->signal(SIGKILL);
    program->wait();
  }
  Seconds time_of(const Arguments& arguments) {
    const Outcome outcome = fermata(arguments);
    EXPECT_TRUE(outcome.ok()) << outcome;
    return outcome.took;
  }
  Arguments run_pod() const {
    return {"run", "-d",        "--name",    "victim", "-p", std::to_string(port_) + ":80",
            "-v",  "/var/data", kProbeImage, "wait"};
  }
  static pid_t monitor_pid() {
    for (const auto& line : engine_processes(host().scope()))
      if (contains(line, " fermata-monitor ") || contains(line, " fermata-monito "))
        return std::atoi(line.c_str());
    return 0;
  }
  static int running_containers() { return static_cast<int>(lines_of(must({"ps", "-q"})).size()); }

  int port_ = 0;
  std::mt19937 random_{20240607};
};

TEST_F(Crash, RunKilledAnywhereCanBeRunAgain) {
  const Seconds usual = time_of(run_pod());
  must({"rm", "-f", "-v", "victim"});
  for (int round = 0; round < rounds_; ++round) {
    killed_somewhere(run_pod(), usual);
    const Outcome removed = fermata({"rm", "-f", "-v", "victim"});
    EXPECT_TRUE(removed.code == 0 || contains(removed.err, "No such container") ||
                contains(removed.err, "no such container"))
        << removed;
    const Outcome again = fermata(run_pod());
    ASSERT_TRUE(again.ok()) << "round " << round << ": " << again;
    EXPECT_TRUE(host().is_running("victim"));
    must({"rm", "-f", "-v", "victim"});
  }
}

TEST_F(Crash, StopAndRemoveKilledAnywhereCanBeRepeated) {
  must(run_pod());
  const Seconds usual = time_of({"stop", "victim"});
  must({"rm", "-v", "victim"});
  for (int round = 0; round < rounds_; ++round) {
    must(run_pod());
    killed_somewhere({"stop", "victim"}, usual);
    const Outcome stopped = fermata({"stop", "victim"});
    EXPECT_TRUE(stopped.ok()) << "round " << round << ": " << stopped;
    killed_somewhere({"rm", "-v", "victim"}, usual);
    const Outcome removed = fermata({"rm", "-f", "-v", "victim"});
    EXPECT_TRUE(removed.code == 0 || contains(removed.err, "victim")) << removed;
    EXPECT_EQ("", must({"ps", "-aq"})) << "round " << round;
  }
}

TEST_F(Crash, StartKilledAnywhereCanBeRepeated) {
  must({"create", "--name", "victim", "-p", std::to_string(port_) + ":80", kProbeImage, "wait"});
  const Seconds usual = time_of({"start", "victim"});
  must({"stop", "victim"});
  for (int round = 0; round < rounds_; ++round) {
    killed_somewhere({"start", "victim"}, usual);
    const Outcome started = fermata({"start", "victim"});
    ASSERT_TRUE(started.ok()) << "round " << round << ": " << started;
    EXPECT_TRUE(host().is_running("victim"));
    must({"stop", "victim"});
  }
}

TEST_F(Crash, RestartKilledAnywhereLeavesNothingHalfRemoved) {
  auto run = run_pod();
  run.insert(run.begin() + 2, "--rm");
  must(run);
  const Seconds usual = time_of({"restart", "victim"});
  for (int round = 0; round < rounds_; ++round) {
    killed_somewhere({"restart", "victim"}, usual);
    // It runs, or it is gone as anything with --rm that has ended, and its name is free.
    EXPECT_TRUE(eventually([&] { return running_containers() == 1 || fermata(run).ok(); }))
        << "round " << round;
  }
}

TEST_F(Crash, ImportKilledAnywhereLeavesNoHalfImage) {
  const Arguments import{"import", host().base_tar(), "e2e/crash:1"};
  const Seconds usual = time_of(import);
  must({"rmi", "e2e/crash:1"});
  for (int round = 0; round < rounds_; ++round) {
    killed_somewhere(import, usual);
    const Outcome outcome = fermata(import);
    EXPECT_TRUE(outcome.ok()) << "round " << round << ": " << outcome;
    EXPECT_EQ(3, fermata({"run", "--rm", "e2e/crash:1", "/bin/probe", "exit", "3"}).code);
    must({"rmi", "-f", "e2e/crash:1"});
  }
}

TEST_F(Crash, ExecKilledLeavesTheContainer) {
  start_probe("victim", {}, {"wait"});
  const Seconds usual = time_of({"exec", "victim", "true"});
  for (int round = 0; round < rounds_; ++round) killed_somewhere({"exec", "victim", "sleep", "0.01"}, usual);
  EXPECT_TRUE(host().is_running("victim"));
  EXPECT_EQ("ok", inside("victim", {"echo", "ok"}));
}

TEST_F(Crash, ADeadMonitorEndsItsPodAtOnceAndIsRecorded) {
  must({"run", "-d", "--name", "pause", "-p", std::to_string(port_) + ":80", kPause});
  start_probe("member", {"--net=container:pause", "--ipc=container:pause", "--pid=container:pause"},
              {"echo", "80"});
  const pid_t pause = host().pid_of("pause");
  const pid_t member = host().pid_of("member");
  const pid_t monitor = monitor_pid();
  ASSERT_NE(0, monitor);
  const auto links = host_links();
  ASSERT_EQ(0, ::kill(monitor, SIGKILL));
  // At once: no command of ours runs in between.
  const auto gone = [](pid_t pid) {
    const std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
    return stat.empty() || contains(stat, ") Z ") || contains(stat, ") X ");
  };
  EXPECT_TRUE(eventually([&] { return gone(pause) && gone(member); }, 2));
  EXPECT_EQ(0, running_containers());
  EXPECT_THAT(host().inspect("member", "{{.State.Error}}"), HasSubstr("MonitorLost"));
  EXPECT_THAT(host().inspect("pause", "{{.State.Error}}"), HasSubstr("MonitorLost"));
  EXPECT_EQ("exited", host().inspect("member", "{{.State.Status}}"));
  // And it can be started again.
  must({"start", "pause"});
  must({"start", "member"});
  EXPECT_TRUE(host().is_running("member"));
}

TEST_F(Crash, TheMountTableIsTheSameAfterEverythingIsKilled) {
  const auto mounts = host_mounts();
  must({"run", "-d", "--name", "pause", kPause});
  start_probe("member", {"--net=container:pause", "-v", "/var/data"}, {"wait"});
  start_probe("alone", {"-p", std::to_string(port_) + ":80"}, {"echo", "80"});
  ASSERT_GE(engine_processes(host().scope()).size(), 4U);
  for (const auto& line : engine_processes(host().scope())) ::kill(std::atoi(line.c_str()), SIGKILL);
  EXPECT_TRUE(eventually([] { return engine_processes(host().scope()).empty(); }));
  EXPECT_EQ(mounts, host_mounts());
  EXPECT_EQ(0, running_containers());
  // The veths died with their namespaces; the rest goes with the next commands, which the fixture checks.
  EXPECT_TRUE(eventually([] {
    for (const auto& link : host_links())
      if (link.starts_with("veth") || link.starts_with("fm")) return false;
    return true;
  }));
  must({"start", "alone"});
  EXPECT_TRUE(eventually([&] { return tcp("127.0.0.1", port_).ok(); }));
}

TEST_F(Crash, APortOfADeadPodIsFreeForTheNext) {
  start_probe("first", {"-p", std::to_string(port_) + ":80"}, {"echo", "80"});
  for (const auto& line : engine_processes(host().scope())) ::kill(std::atoi(line.c_str()), SIGKILL);
  const Outcome outcome = fermata(
      {"run", "-d", "--name", "second", "-p", std::to_string(port_) + ":80", kProbeImage, "echo", "80"});
  EXPECT_TRUE(outcome.ok()) << outcome;
  EXPECT_TRUE(eventually([&] { return tcp("127.0.0.1", port_).ok(); }));
}

TEST_F(Crash, AttachedClientsLearnThatTheMonitorIsLost) {
  auto running = host().start({"run", "--name", "job", kProbeImage, "wait"});
  ASSERT_TRUE(running->read_until("ready"));
  ::kill(monitor_pid(), SIGKILL);
  const Outcome outcome = running->wait(10);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_NE(0, outcome.code);
  EXPECT_NE("", outcome.err);
}

TEST_F(Crash, RemoveOnExitHoldsWhenTheClientIsKilled) {
  auto running = host().start({"run", "--rm", "--name", "job", kProbeImage, "trap"});
  ASSERT_TRUE(running->read_until("ready"));
  running->signal(SIGKILL);
  running->wait();
  EXPECT_TRUE(host().is_running("job"));
  must({"stop", "job"});
  EXPECT_TRUE(eventually([] { return must({"ps", "-aq"}).empty(); }));
}

// Such as a mount that somebody left in it. The rest of the engine goes on, and the next command after the
// obstacle is gone finishes the removal.
TEST_F(Crash, AContainerThatCannotBeRemovedStopsNobodyElse) {
  start_probe("stuck", {}, {"wait"});
  must({"stop", "stuck"});
  const std::string upper =
      host().scope().root + "/containers/" + host().inspect("stuck", "{{.Id}}") + "/upper";
  ASSERT_EQ(0, ::mount("none", upper.c_str(), "tmpfs", 0, nullptr));
  for (int round = 0; round < 3; ++round) EXPECT_EQ(1, fermata({"rm", "stuck"}).code);
  EXPECT_TRUE(fermata({"ps", "-a"}).ok());
  start_probe("other", {}, {"wait"});
  must({"rm", "-f", "other"});
  ASSERT_EQ(0, ::umount(upper.c_str()));
  EXPECT_EQ("", must({"ps", "-aq"}));
}

}  // namespace
}  // namespace fermata::e2e
