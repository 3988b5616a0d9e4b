// fermata-oci where other engines have runc: what their users see must be what they know.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "e2e/support/engines.h"

namespace fermata::e2e {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

constexpr char kImage[] = "peers-base";
// Ends with 5 when it is asked to.
constexpr char kDaemon[] = "trap 'echo got; exit 5' TERM; echo started; while :; do sleep 0.1; done";

// A container sees its own limits, not the machine's.
constexpr char kMemoryLimit[] =
    "cd /sys/fs/cgroup; if test -e memory; then cat memory/memory.limit_in_bytes; else cat memory.max; fi";

class PeersRuntime : public EngineTest {
 protected:
  // The same command line does for podman and docker. `flags` of every run.
  void expect_exit_codes(const Arguments& engine, const Arguments& flags) const;
  void expect_rights(const Arguments& engine, const Arguments& flags) const;
  void expect_life(const Arguments& engine, const Arguments& flags) const;
  void expect_executions(const Arguments& engine) const;
  void expect_many(const Arguments& engine, const Arguments& flags) const;

  static Outcome run_in(const Arguments& engine, Arguments flags, const Arguments& more,
                        const Arguments& command) {
    flags.insert(flags.begin(), {"run", "--rm", "--network", "none"});
    flags.insert(flags.end(), more.begin(), more.end());
    flags.push_back(kImage);
    flags.insert(flags.end(), command.begin(), command.end());
    return run(engine, flags);
  }
  static void start(const Arguments& engine, Arguments flags, const Arguments& more,
                    const std::string& script) {
    flags.insert(flags.begin(), {"run", "-d", "--network", "none"});
    flags.insert(flags.end(), more.begin(), more.end());
    for (const std::string& word : {std::string(kImage), std::string("sh"), std::string("-c"), script})
      flags.push_back(word);
    must(engine, flags);
  }
  static std::string inspect(const Arguments& engine, const std::string& name, const std::string& format) {
    return must(engine, {"inspect", "--format", format, name});
  }
  static Outcome on_terminal(Arguments engine, const Arguments& arguments) {
    engine.insert(engine.end(), arguments.begin(), arguments.end());
    Background program(engine, Background::Streams::terminal, {.seconds = 60});
    return program.wait();
  }
};

void PeersRuntime::expect_exit_codes(const Arguments& engine, const Arguments& flags) const {
  EXPECT_EQ(0, run_in(engine, flags, {}, {"true"}).code);
  EXPECT_EQ(3, run_in(engine, flags, {}, {"sh", "-c", "exit 3"}).code);
  const Outcome absent = run_in(engine, flags, {}, {"nosuch"});
  EXPECT_EQ(127, absent.code);
  EXPECT_THAT(absent.err, HasSubstr("exec: \"nosuch\": executable file not found in $PATH"));
  const Outcome forbidden = run_in(engine, flags, {}, {"/etc/passwd"});
  EXPECT_EQ(126, forbidden.code);
  EXPECT_THAT(forbidden.err, HasSubstr("exec: \"/etc/passwd\": permission denied"));
  EXPECT_NE(0, run_in(engine, flags, {"--workdir", "/bin/busybox"}, {"true"}).code);
  EXPECT_EQ("hello\n", [&] {
    Arguments all = engine;
    for (const char* word : {"run", "-i", "--rm", "--network", "none"}) all.emplace_back(word);
    all.insert(all.end(), flags.begin(), flags.end());
    all.insert(all.end(), {kImage, "cat"});
    return run_program(all, {.input = "hello\n", .seconds = 60}).out;
  }());
}

void PeersRuntime::expect_rights(const Arguments& engine, const Arguments& flags) const {
  const auto seen = [&](const Arguments& more, const std::string& script) {
    const Outcome outcome = run_in(engine, flags, more, {"sh", "-c", script});
    EXPECT_TRUE(outcome.ok()) << script << ": " << outcome;
    return outcome.line();
  };
  EXPECT_EQ("1000 1001 /home/user", seen({"--user", "web"}, "echo $(id -u) $(id -g) $HOME"));
  EXPECT_EQ("/tmp box", seen({"--workdir", "/tmp", "--hostname", "box"}, "echo $(pwd) $(hostname)"));
  EXPECT_EQ("refused", seen({"--read-only"}, "touch /x 2>/dev/null || echo refused"));
  EXPECT_EQ("1024", seen({"--tmpfs", "/t:size=1m"}, "df -k /t | tail -1 | awk '{print $2}'"));
  EXPECT_EQ("3072", seen({"--shm-size", "3m"}, "df -k /dev/shm | tail -1 | awk '{print $2}'"));
  EXPECT_THAT(seen({"--cap-drop", "all"}, "grep CapEff /proc/self/status"), HasSubstr("0000000000000000"));
  EXPECT_THAT(seen({"--cap-drop", "all", "--cap-add", "net_admin"}, "grep CapEff /proc/self/status"),
              HasSubstr("0000000000001000"));
  EXPECT_THAT(
      seen({"--privileged"}, "grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp && echo mounted"),
      AllOf(HasSubstr("\t0"), HasSubstr("mounted")));
  EXPECT_EQ("Seccomp:\t2", seen({}, "grep Seccomp: /proc/self/status"));
  EXPECT_EQ("Seccomp:\t0", seen({"--security-opt", "seccomp=unconfined"}, "grep Seccomp: /proc/self/status"));
  EXPECT_EQ("NoNewPrivs:\t1", seen({"--security-opt", "no-new-privileges"}, "grep NoNew /proc/self/status"));
  EXPECT_EQ("100 200", seen({"--ulimit", "nofile=100:200"}, "echo $(ulimit -n) $(ulimit -Hn)"));
  EXPECT_EQ("1", seen({"--sysctl", "net.ipv4.ip_forward=1"}, "cat /proc/sys/net/ipv4/ip_forward"));
  EXPECT_THAT(
      run_in(engine, flags, {"--pids-limit", "10"}, {"sh", "-c", "for i in $(seq 20); do sleep 1 & done"})
          .err,
      HasSubstr("can't fork"));
  std::filesystem::create_directories(path("volume"));
  spill(path("volume/file"), "content\n");
  EXPECT_EQ("content", seen({"-v", path("volume") + ":/v"}, "cat /v/file && touch /v/new"));
  EXPECT_EQ("refused", seen({"-v", path("volume") + ":/v:ro"}, "touch /v/x 2>/dev/null || echo refused"));
  EXPECT_EQ("3", seen({"--device", "/dev/zero:/dev/nil:r"}, "head -c 3 /dev/nil | wc -c"));
  EXPECT_EQ(std::filesystem::read_symlink("/proc/self/ns/pid").string(),
            seen({"--pid", "host"}, "readlink /proc/self/ns/pid"));
  EXPECT_EQ("33554432", seen({"--memory", "32m"}, kMemoryLimit));
}

void PeersRuntime::expect_executions(const Arguments& engine) const {
  EXPECT_EQ(6, run(engine, {"exec", "one", "sh", "-c", "exit 6"}).code);
  EXPECT_EQ("web /tmp 1", must(engine, {"exec", "--user", "web", "-w", "/tmp", "-e", "Q=1", "one", "sh", "-c",
                                        "echo $(id -un) $(pwd) $Q"}));
  const Outcome absent = run(engine, {"exec", "one", "nosuch"});
  EXPECT_THAT(absent.code, testing::AnyOf(126, 127));  // docker and podman differ
  EXPECT_THAT(absent.out + absent.err, HasSubstr("exec: \"nosuch\": executable file not found in $PATH"));
  EXPECT_EQ(126, run(engine, {"exec", "one", "/etc/passwd"}).code);
  const Outcome terminal = on_terminal(engine, {"exec", "-t", "one", "sh", "-c", "tty; sleep 0.2; exit 4"});
  EXPECT_EQ(4, terminal.code) << terminal;
  EXPECT_THAT(terminal.out, HasSubstr("/dev/pts/"));
}

void PeersRuntime::expect_life(const Arguments& engine, const Arguments& flags) const {
  start(engine, flags, {"--name", "one"}, kDaemon);
  expect_executions(engine);
  EXPECT_THAT(must(engine, {"top", "one"}), HasSubstr("trap"));
  EXPECT_THAT(must(engine, {"stats", "--no-stream", "--format", "{{.MemUsage}}", "one"}),
              ContainsRegex("^[1-9][0-9.]* ?[kKM]"));
  must(engine, {"pause", "one"});
  EXPECT_EQ("paused", inspect(engine, "one", "{{.State.Status}}"));
  EXPECT_NE(0, run(engine, {"exec", "one", "true"}).code);
  must(engine, {"unpause", "one"});
  must(engine, {"update", "--memory", "64m", "--memory-swap", "128m", "--cpu-shares", "200", "one"});
  EXPECT_EQ("67108864", must(engine, {"exec", "one", "sh", "-c", kMemoryLimit}));
  EXPECT_NE(0, run(engine, {"rm", "one"}).code);
  must(engine, {"stop", "-t", "10", "one"});
  EXPECT_EQ("5 exited", inspect(engine, "one", "{{.State.ExitCode}} {{.State.Status}}"));
  EXPECT_EQ("started\ngot", must(engine, {"logs", "one"}));
  must(engine, {"start", "one"});
  must(engine, {"kill", "one"});
  EXPECT_EQ("137", must(engine, {"wait", "one"}));
  must(engine, {"rm", "one"});
  start(engine, flags, {"--name", "one"}, "sleep 1000");
  must(engine, {"pause", "one"});
  must(engine, {"rm", "-f", "one"});
  EXPECT_EQ(137, run_in(engine, flags, {"--memory", "16m"}, {"tail", "/dev/zero"}).code);
}

void PeersRuntime::expect_many(const Arguments& engine, const Arguments& flags) const {
  std::vector<std::unique_ptr<Background>> running;
  for (int i = 0; i < 20; ++i) {
    Arguments all = engine;
    for (const char* word : {"run", "--rm", "--network", "none"}) all.emplace_back(word);
    all.insert(all.end(), flags.begin(), flags.end());
    all.insert(all.end(), {kImage, "sh", "-c", "echo " + std::to_string(i) + "; exit 9"});
    running.push_back(std::make_unique<Background>(all, Background::Streams::pipes));
  }
  for (int i = 0; i < 20; ++i) {
    const Outcome outcome = running[static_cast<std::size_t>(i)]->finish(120);
    EXPECT_EQ(9, outcome.code) << outcome;
    EXPECT_EQ(std::to_string(i), outcome.line());
  }
  EXPECT_EQ("", must(engine, {"ps", "-aq"}));
}

TEST_F(PeersRuntime, UnderPodman) {
  const Arguments podman = this->podman(kFermataOci);
  const Arguments flags{"--cgroup-parent", cgroup()};
  must(podman, {"import", base_tar(), kImage});
  expect_exit_codes(podman, flags);
  expect_rights(podman, flags);
  expect_life(podman, flags);
  expect_many(podman, flags);
  const Outcome mapped = run_in(podman, flags, {"--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000"},
                                {"cat", "/proc/self/uid_map"});
  EXPECT_THAT(mapped.out, ContainsRegex("^ +0 +100000 +1000")) << mapped;
}

TEST_F(PeersRuntime, UnderPodmansPods) {
  const Arguments podman = this->podman(kFermataOci);
  must(podman, {"import", base_tar(), kImage});
  const std::string pause = path("pause.tar");
  EXPECT_TRUE(run_program({kFermata, "pause-image", "--output", "docker-archive:" + pause, "--tag",
                           "localhost/peers/pause:1"})
                  .ok());
  must(podman, {"load", "-i", pause});
  must(podman, {"pod", "create", "--name", "p", "--network", "none", "--share", "net,ipc,uts,pid",
                "--cgroup-parent", cgroup(), "--infra-image", "localhost/peers/pause:1"});
  must(podman, {"run", "-d", "--pod", "p", "--name", "m", kImage, "sleep", "1000"});
  EXPECT_THAT(must(podman, {"run", "--rm", "--pod", "p", kImage, "ps"}),
              AllOf(HasSubstr("/pause"), HasSubstr("sleep 1000")));
  must(podman, {"pod", "pause", "p"});
  EXPECT_EQ("paused", inspect(podman, "m", "{{.State.Status}}"));
  must(podman, {"pod", "unpause", "p"});
  must(podman, {"pod", "stop", "-t", "1", "p"});
  must(podman, {"pod", "start", "p"});
  EXPECT_EQ("running", inspect(podman, "m", "{{.State.Status}}"));
  must(podman, {"pod", "rm", "-f", "-t", "0", "p"});
}

TEST_F(PeersRuntime, UnderDocker) {
  Dockerd daemon(path(""), cgroup(),
                 {"--add-runtime", "fermata=" + kFermataOci, "--default-runtime", "fermata"});
  const Arguments& docker = daemon.client();
  must(docker, {"import", base_tar(), kImage});
  expect_exit_codes(docker, {});
  expect_rights(docker, {});
  expect_life(docker, {});
  expect_many(docker, {});
  start(docker, {}, {"--name", "oom", "--memory", "16m"}, "tail /dev/zero");
  EXPECT_EQ("137", must(docker, {"wait", "oom"}));
  EXPECT_EQ("true", inspect(docker, "oom", "{{.State.OOMKilled}}"));
  // A healthcheck, a restart, and a member of another container's namespaces.
  start(docker, {}, {"--name", "health", "--health-cmd", "test -e /ok", "--health-interval", "1s"},
        "touch /ok; sleep 1000");
  EXPECT_TRUE(
      eventually([&] { return inspect(docker, "health", "{{.State.Health.Status}}") == "healthy"; }, 15));
  EXPECT_THAT(must(docker, {"run", "--rm", "--network", "container:health", "--pid", "container:health",
                            kImage, "ps"}),
              HasSubstr("sleep 1000"));
  start(docker, {}, {"--name", "restart", "--restart", "on-failure:2"}, "exit 9");
  EXPECT_TRUE(eventually([&] { return inspect(docker, "restart", "{{.RestartCount}}") == "2"; }, 15));
  must(docker, {"rm", "-f", "oom", "health", "restart"});
  EXPECT_THAT(must(docker, {"run", "--rm", kImage, "ip", "-4", "-o", "addr"}), HasSubstr("eth0"));
  EXPECT_EQ(0, daemon.stop());
}

TEST_F(PeersRuntime, UnderCtr) {
  Containerd daemon(path(""), "");
  const Arguments ctr = daemon.client("peers");
  const Outcome flat = run_program({"sh", "-c", "mkdir $0/flat && tar -C $0/flat -xf $0/base.tar", path("")});
  ASSERT_TRUE(flat.ok()) << flat;
  const auto container = [&](const Arguments& flags, const Arguments& command) {
    Arguments all{"run", "--runc-binary", kFermataOci, "--cgroup", cgroup() + "/c", "--rootfs"};
    all.insert(all.begin() + 1, flags.begin(), flags.end());
    all.insert(all.end(), {path("flat"), "c"});
    all.insert(all.end(), command.begin(), command.end());
    return run(ctr, all);
  };
  const Arguments remove{"--rm", "--env", "PATH=/bin"};
  EXPECT_EQ("hi\n", container(remove, {"echo", "hi"}).out);
  EXPECT_EQ(3, container(remove, {"sh", "-c", "exit 3"}).code);
  EXPECT_THAT(container(remove, {"nosuch"}).err,
              HasSubstr("exec: \"nosuch\": executable file not found in $PATH"));
  EXPECT_TRUE(container({"-d", "--env", "PATH=/bin"}, {"sh", "-c", kDaemon}).ok());
  EXPECT_EQ(6, run(ctr, {"tasks", "exec", "--exec-id", "e1", "c", "sh", "-c", "exit 6"}).code);
  EXPECT_THAT(run(ctr, {"tasks", "exec", "--exec-id", "e2", "c", "nosuch"}).err, HasSubstr("not found"));
  EXPECT_THAT(must(ctr, {"tasks", "metrics", "--format", "json", "c"}), HasSubstr("\"pids\""));
  must(ctr, {"tasks", "pause", "c"});
  EXPECT_THAT(must(ctr, {"tasks", "ls"}), HasSubstr("PAUSED"));
  must(ctr, {"tasks", "resume", "c"});
  must(ctr, {"tasks", "kill", "-s", "TERM", "c"});
  EXPECT_TRUE(eventually([&] { return contains(must(ctr, {"tasks", "ls"}), "STOPPED"); }, 15));
  (void)run(ctr, {"tasks", "delete", "c"});  // its exit code is the task's
  EXPECT_EQ("", must(ctr, {"tasks", "ls", "-q"}));
  must(ctr, {"containers", "delete", "c"});
  EXPECT_EQ(0, daemon.stop());
}

}  // namespace
}  // namespace fermata::e2e
