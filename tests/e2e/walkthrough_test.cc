// The walkthroughs of a Pod by hand: pause, a web server and an application behind it, sharing its
// namespaces.
#include <unistd.h>

#include <sstream>
#include <utility>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

// "nginx" proxies to the "java" service on the Pod's loopback, as in the walkthrough; both are the probe.
constexpr const char* kJavaAnswer = "Hello Docker World";

class Walkthrough : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    host().import_base_images();
    static bool imported = false;
    if (!std::exchange(imported, true)) {
      host().import("nginx",
                    {"ENV PATH=/bin", "EXPOSE 80/tcp", "CMD [\"/bin/probe\", \"proxy\", \"80\", \"8888\"]"});
      host().import("java-service", {"ENV PATH=/bin", "ENTRYPOINT [\"/bin/probe\", \"http\", \"8888\"]",
                                     std::string("CMD [\"") + kJavaAnswer + "\", \"127.0.0.1\"]"});
    }
    port_ = free_port();
  }

  void make_pod() {
    must({"run", "-d", "--name", "pause", "-p", std::to_string(port_) + ":80", "--ipc=shareable", kPause});
    must({"run", "-d", "--name", "nginx", "--net=container:pause", "--ipc=container:pause",
          "--pid=container:pause", "nginx"});
    must({"run", "-d", "--name", "java", "--net=container:pause", "--ipc=container:pause",
          "--pid=container:pause", "java-service"});
  }

  int port_ = 0;
};

TEST_F(Walkthrough, ThePodAnswersOnEveryAddressOfThePublishedPort) {
  make_pod();
  EXPECT_EQ(kJavaAnswer, http_soon("127.0.0.1", port_));
  EXPECT_EQ(kJavaAnswer, http_soon("::1", port_));
  ASSERT_NE("", host_ipv4()) << "the host has no address";
  EXPECT_EQ(kJavaAnswer, http_soon(host_ipv4(), port_));
  if (!host_ipv6().empty()) {
    EXPECT_EQ(kJavaAnswer, http_soon(host_ipv6(), port_));
  }
}

TEST_F(Walkthrough, AnotherContainerReachesThePortOnTheHostsAddress) {
  make_pod();
  ASSERT_EQ(kJavaAnswer, http_soon("127.0.0.1", port_));
  const std::string port = std::to_string(port_);
  EXPECT_EQ(kJavaAnswer, in_container({}, {"probe", "get", host_ipv4(), port}).line());
  // Hairpin: from a container of the very Pod that serves it.
  EXPECT_EQ(kJavaAnswer, inside("java", {"probe", "get", host_ipv4(), port}));
}

TEST_F(Walkthrough, NamespacesAreSharedInodeByInode) {
  make_pod();
  const auto pause = host().namespaces_of("pause");
  for (const char* name : {"nginx", "java"}) {
    const auto member = host().namespaces_of(name);
    EXPECT_EQ(pause.at("net"), member.at("net")) << name;
    EXPECT_EQ(pause.at("ipc"), member.at("ipc")) << name;
    EXPECT_EQ(pause.at("pid"), member.at("pid")) << name;
    EXPECT_NE(pause.at("mnt"), member.at("mnt")) << name;
  }
  EXPECT_NE(host().namespaces_of("nginx").at("mnt"), host().namespaces_of("java").at("mnt"));
  for (const char* kind : {"net", "ipc", "pid", "mnt", "uts"}) {
    char own[128] = "";
    ASSERT_GT(::readlink((std::string("/proc/self/ns/") + kind).c_str(), own, sizeof own - 1), 0);
    EXPECT_NE(own, pause.at(kind)) << "pause shares the host's " << kind;
  }
}

TEST_F(Walkthrough, AllContainersSeeTheSameNetwork) {
  make_pod();
  for (const Arguments& command :
       {Arguments{"ip", "addr"}, Arguments{"ip", "route"}, Arguments{"ip", "-6", "route"},
        Arguments{"cat", "/sys/class/net/eth0/address"}}) {
    const std::string seen = inside("nginx", command);
    EXPECT_EQ(seen, inside("java", command));
    EXPECT_FALSE(seen.empty());
  }
  const std::string address = host().inspect("pause", "{{.NetworkSettings.IPAddress}}");
  EXPECT_THAT(inside("java", {"ip", "addr", "show", "eth0"}), HasSubstr("inet " + address + "/"));
  EXPECT_EQ(host().inspect("pause", "{{.NetworkSettings.MacAddress}}"),
            inside("nginx", {"cat", "/sys/class/net/eth0/address"}));
  EXPECT_EQ(kJavaAnswer, inside("nginx", {"probe", "get", "127.0.0.1", "8888"}));
}

TEST_F(Walkthrough, ProcessOneIsPauseAsItsOwnUser) {
  make_pod();
  const std::string processes = inside("java", {"ps", "-o", "pid,user,args"});
  const auto lines = lines_of(processes);
  ASSERT_GE(lines.size(), 4U) << processes;
  EXPECT_THAT(lines[1], testing::ContainsRegex("^ *1 +65535 +/pause")) << processes;
  EXPECT_THAT(processes, HasSubstr("proxy 80 8888"));
  EXPECT_THAT(processes, HasSubstr("http 8888"));
  EXPECT_EQ("pause\n", slurp("/proc/" + std::to_string(host().pid_of("pause")) + "/comm"));
}

TEST_F(Walkthrough, TwoHundredOrphansLeaveNoZombie) {
  make_pod();
  EXPECT_EQ("200", inside("java", {"probe", "orphans", "200"}));
  std::string count;
  EXPECT_TRUE(eventually(
      [&] {
        return (count = inside("nginx", {"probe", "zombies"})) == "0";
      },
      10))
      << count;
}

TEST_F(Walkthrough, TheLastIpcFlagWins) {
  must({"run", "-d", "--name", "pause", kPause});
  start_probe("java",
              {"--net=container:pause", "--ipc=container:pause", "--ipc=shareable", "--pid=container:pause"},
              {"wait"});
  EXPECT_NE(host().namespaces_of("pause").at("ipc"), host().namespaces_of("java").at("ipc"));
  start_probe("other", {"--net=container:pause", "--ipc=shareable", "--ipc=container:pause"}, {"wait"});
  EXPECT_EQ(host().namespaces_of("pause").at("ipc"), host().namespaces_of("other").at("ipc"));
}

TEST_F(Walkthrough, SystemVMemoryAndSharedMemoryFilesAreShared) {
  must({"run", "-d", "--name", "pause", kPause});
  start_probe("one", {"--net=container:pause", "--ipc=container:pause"}, {"wait"});
  start_probe("two", {"--net=container:pause", "--ipc=container:pause"}, {"wait"});
  inside("one", {"probe", "sysv", "create"});
  EXPECT_EQ("from another container", inside("two", {"probe", "sysv", "read"}));
  inside("one", {"sh", "-c", "echo shared > /dev/shm/file"});
  EXPECT_EQ("shared", inside("two", {"cat", "/dev/shm/file"}));
  const Outcome alone = in_container({}, {"probe", "sysv", "read"});
  EXPECT_EQ("ENOENT", alone.line());
}

TEST_F(Walkthrough, AnApplicationRestartsAndThePodKeepsItsAddress) {
  make_pod();
  ASSERT_EQ(kJavaAnswer, http_soon("127.0.0.1", port_));
  const std::string address = inside("nginx", {"ip", "addr", "show", "eth0"});
  const auto before = host().namespaces_of("pause");
  const pid_t pause = host().pid_of("pause");
  must({"stop", "-t", "1", "java"});
  EXPECT_EQ("", http("127.0.0.1", port_));
  EXPECT_TRUE(host().is_running("pause"));
  EXPECT_TRUE(host().is_running("nginx"));
  must({"start", "java"});
  EXPECT_EQ(kJavaAnswer, http_soon("127.0.0.1", port_));
  EXPECT_EQ(address, inside("java", {"ip", "addr", "show", "eth0"}));
  EXPECT_EQ(before.at("net"), host().namespaces_of("java").at("net"));
  EXPECT_EQ(before.at("pid"), host().namespaces_of("java").at("pid"));
  EXPECT_EQ(pause, host().pid_of("pause"));
}

TEST_F(Walkthrough, TheImageOfOneContainerIsUpdatedAlone) {
  make_pod();
  ASSERT_EQ(kJavaAnswer, http_soon("127.0.0.1", port_));
  const pid_t pause = host().pid_of("pause");
  const pid_t nginx = host().pid_of("nginx");
  const std::string address = host().inspect("pause", "{{.NetworkSettings.IPAddress}}");
  host().import("java-service:2", {"ENV PATH=/bin", "ENTRYPOINT [\"/bin/probe\", \"http\", \"8888\"]",
                                   "CMD [\"Hello again\", \"127.0.0.1\"]"});
  must({"rm", "-f", "java"});
  must({"run", "-d", "--name", "java", "--net=container:pause", "--ipc=container:pause",
        "--pid=container:pause", "java-service:2"});
  EXPECT_TRUE(eventually([&] { return http("127.0.0.1", port_) == "Hello again"; }));
  EXPECT_EQ(pause, host().pid_of("pause"));
  EXPECT_EQ(nginx, host().pid_of("nginx"));
  EXPECT_EQ(address, host().inspect("pause", "{{.NetworkSettings.IPAddress}}"));
}

TEST_F(Walkthrough, ThePodEndsWithPauseAndStartsAgainByName) {
  make_pod();
  must({"stop", "pause"});
  const auto all_ended = [&] { return !host().is_running("nginx") && !host().is_running("java"); };
  EXPECT_TRUE(eventually(all_ended, 15));
  EXPECT_EQ("0", host().inspect("pause", "{{.State.ExitCode}}"));
  EXPECT_EQ("", http("127.0.0.1", port_));
  must({"start", "pause"});
  must({"start", "nginx", "java"});
  EXPECT_EQ(kJavaAnswer, http_soon("127.0.0.1", port_));
  EXPECT_EQ(host().namespaces_of("pause").at("net"), host().namespaces_of("java").at("net"));
  EXPECT_EQ(host().namespaces_of("pause").at("pid"), host().namespaces_of("nginx").at("pid"));
}

TEST_F(Walkthrough, StoppingPauseLetsItsMembersEndFirst) {
  must({"run", "-d", "--name", "pause", kPause});
  start_probe("alone", {"--net=container:pause"}, {"trap", "5"});
  start_probe("inside", {"--net=container:pause", "--pid=container:pause"}, {"trap", "6"});
  start_probe("other", {"--net=container:pause", "--stop-signal", "USR1"}, {"trap"});
  for (const char* name : {"slow-1", "slow-2"})
    start_probe(name, {"--net=container:pause", "--pid=container:pause"}, {"ignore"});
  for (const char* name : {"alone", "inside", "other", "slow-1", "slow-2"})
    ASSERT_TRUE(logs_show(name, "ready"));
  const auto begin = Clock::now();
  EXPECT_EQ("pause\ninside", must({"stop", "-t", "2", "pause", "inside"}));
  const Seconds took = Clock::now() - begin;
  EXPECT_GE(took, Seconds(2));
  EXPECT_LT(took, Seconds(2) + scaled(2)) << "they are waited for together";
  EXPECT_EQ("5", host().inspect("alone", "{{.State.ExitCode}}"));
  EXPECT_EQ("6", host().inspect("inside", "{{.State.ExitCode}}"));
  EXPECT_THAT(fermata({"logs", "other"}).out, HasSubstr("got " + std::to_string(SIGUSR1)));
  EXPECT_EQ("137", host().inspect("slow-2", "{{.State.ExitCode}}"));
  EXPECT_EQ("0", host().inspect("pause", "{{.State.ExitCode}}"));
}

TEST_F(Walkthrough, PauseSaysWhichSignalEndedIt) {
  must({"run", "-d", "--name", "pause", kPause});
  must({"stop", "pause"});
  EXPECT_THAT(fermata({"logs", "pause"}).err, HasSubstr("Shutting down, got signal: Terminated"));
  EXPECT_EQ("0", must({"wait", "pause"}));
}

TEST_F(Walkthrough, AnOrdinaryContainerRestartsIntoTheNetworkItShared) {
  const std::string port = "127.0.0.1:" + std::to_string(port_);
  start_probe("first", {"--ipc=shareable", "-p", port + ":80"}, {"wait"});
  start_probe("second", {"--net=container:first", "--ipc=container:first"}, {"wait"});
  const auto before = host().namespaces_of("second");
  const std::string address = inside("second", {"ip", "addr", "show", "eth0"});
  must({"stop", "-t", "1", "first"});
  EXPECT_TRUE(host().is_running("second"));
  EXPECT_EQ(address, inside("second", {"ip", "addr", "show", "eth0"}));
  EXPECT_EQ("80/tcp -> " + port, must({"port", "first"}));
  EXPECT_EQ(port + "->80/tcp", must({"ps", "-a", "--filter", "name=first", "--format", "{{.Ports}}"}));
  must({"start", "first"});
  EXPECT_EQ(before.at("net"), host().namespaces_of("first").at("net"));
  EXPECT_EQ(before.at("ipc"), host().namespaces_of("first").at("ipc"));
  EXPECT_EQ(address, inside("first", {"ip", "addr", "show", "eth0"}));
}

TEST_F(Walkthrough, AMemberRestartsAfterTheFirstOfItsPodIsGone) {
  start_probe("first", {"--hostname", "box"}, {"wait"});
  start_probe("second", {"--net=container:first"}, {"wait"});
  must({"stop", "-t", "0", "first"});
  must({"restart", "-t", "0", "second"});
  EXPECT_TRUE(host().is_running("second"));
  must({"rm", "first"});
  must({"restart", "-t", "0", "second"});
  EXPECT_EQ("box", inside("second", {"hostname"}));
  must({"stop", "-t", "0", "second"});
  must({"start", "second"});
  EXPECT_TRUE(host().is_running("second"));
}

TEST_F(Walkthrough, AMemberIsNotStoppedForARestartThatCannotBe) {
  start_probe("first", {"--ipc=shareable"}, {"wait"});
  start_probe("second", {"--net=container:first", "--ipc=container:first"}, {"wait"});
  must({"stop", "-t", "0", "first"});
  Outcome outcome = fermata({"restart", "-t", "0", "second"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("cannot join IPC of a non running container: first"));
  EXPECT_TRUE(host().is_running("second"));
  must({"rm", "first"});
  outcome = fermata({"restart", "-t", "0", "second"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("of pod 'first', which was removed"));
  EXPECT_TRUE(host().is_running("second"));
}

TEST_F(Walkthrough, WithoutPauseAMemberKeepsItsNetworkButHasNoProcessOne) {
  const std::string pause = must({"run", "-d", "--name", "pause", kPause});
  start_probe("network", {"--net=container:pause"}, {"wait"});
  start_probe("both", {"--net=container:pause", "--pid=container:pause"}, {"wait"});
  must({"rm", "-f", "pause"});
  EXPECT_EQ("network", must({"start", "network"}));
  const Outcome outcome = fermata({"start", "both"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("cannot join PID of container " + pause.substr(0, 12) +
                                     " of pod 'pause', which was removed"));
  EXPECT_TRUE(host().is_running("network"));
}

TEST_F(Walkthrough, JoiningWhatCannotBeJoinedSaysWhy) {
  start_probe("private", {}, {"wait"});
  EXPECT_THAT(fermata({"run", "--rm", "--ipc=container:private", kBase, "true"}).err, HasSubstr("shareable"));
  Outcome outcome = fermata({"run", "--rm", "--net=container:nobody", kBase, "true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("nobody"));
  outcome = fermata({"run", "--rm", "-p", "8080:80", "--net=container:private", kBase, "true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("private")) << "it must say where the port is to be published";
  must({"stop", "-t", "0", "private"});
  outcome = fermata({"run", "--rm", "--net=container:private", kBase, "true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("non running"));
}

TEST_F(Walkthrough, OldPauseTagsRunAsRoot) {
  must({"run", "-d", "--name", "old", "k8s.gcr.io/pause:3.1"});
  must({"run", "-d", "--name", "new", "registry.k8s.io/pause:3.9"});
  const auto uid_of = [&](const std::string& name) {
    std::istringstream words(slurp("/proc/" + std::to_string(host().pid_of(name)) + "/status").substr(0));
    for (std::string word; words >> word;)
      if (word == "Uid:") return words >> word, word;
    return std::string();
  };
  EXPECT_EQ("0", uid_of("old"));
  EXPECT_EQ("65535", uid_of("new"));
}

TEST_F(Walkthrough, TheHostsMountTableIsUntouchedWhileThePodRuns) {
  const auto before = host_mounts();
  make_pod();
  EXPECT_EQ(before, host_mounts());
}

}  // namespace
}  // namespace fermata::e2e
