// Our pause where other engines have theirs: podman's infra container, the container that docker's
// --net=container: joins, containerd's sandbox. The engines are Debian's, each with directories of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>

#include "e2e/support/host.h"

namespace fermata::e2e {
namespace {

using testing::HasSubstr;

constexpr char kImage[] = "localhost/drop-in/pause:1";
constexpr char kBaseImage[] = "drop-in-base";
constexpr char kCgroup[] = "/fermata-drop-in";

Outcome shell(const std::string& script) { return run_program({"sh", "-c", script}); }

class DropIn : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/fdiXXXXXX";
    ASSERT_NE(nullptr, ::mkdtemp(name));
    directory_ = name;
    pack_base(directory_, base_tar());
  }
  void TearDown() override {
    if (directory_.empty()) return;
    EXPECT_TRUE(eventually([&] { return engine_processes(scope()).empty(); }, 20))
        << *engine_processes(scope()).begin();
    shell("find /sys/fs/cgroup -depth -type d -path '*" + std::string(kCgroup) +
          "*' -exec rmdir {} + 2>/dev/null");
    shell("grep -o ' " + directory_ + "[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l");
    run_program({"rm", "-rf", "--one-file-system", directory_});
  }

  SnapshotScope scope() const {
    return {.root = directory_, .run_root = directory_, .tag = "fermata-drop-in"};
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string base_tar() const { return path("base.tar"); }

  std::string pause_image(const std::string& form) const {
    const std::string file = path(form + ".tar");
    const Outcome made =
        run_program({kFermata, "pause-image", "--output", form + ":" + file, "--tag", kImage});
    EXPECT_TRUE(made.ok()) << made;
    return file;
  }
  static std::string must(Arguments command, const Arguments& arguments,
                          const RunOptions& options = {.seconds = 60}) {
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Outcome outcome = run_program(command, options);
    EXPECT_TRUE(outcome.ok()) << testing::PrintToString(command) << ": " << outcome;
    return outcome.line();
  }
  // It is our program that runs there, and no zombie stays with it.
  static void expect_our_pause(const std::string& pid) {
    EXPECT_EQ(slurp(programs_directory() + "/pause"), slurp("/proc/" + pid + "/exe")) << "pid " << pid;
    EXPECT_EQ("pause\n", slurp("/proc/" + pid + "/comm"));
  }
  // Of its first process, as a member of the pod sees it.
  static void expect_reaping(const std::string& pid) {
    const auto zombies = [&] { return shell("ps --ppid " + pid + " -o stat= | grep -c Z").line(); };
    EXPECT_TRUE(eventually([&] { return zombies() == "0"; })) << zombies();
  }

  std::string directory_;
};

// podman and docker ask for limits that a machine without CAP_SYS_RESOURCE may not give.
std::string permitted(int resource, std::uint64_t ceiling) {
  rlimit limit = {};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  const std::string value = std::to_string(std::min<std::uint64_t>(limit.rlim_max, ceiling));
  return value + ":" + value;
}

constexpr char kOrphans[] = "for i in 1 2 3 4 5; do (sh -c 'sleep 0.1 & exit' &); done; sleep 0.5";

TEST_F(DropIn, AsPodmansInfraImage) {
  spill(path("containers.conf"),
        "[containers]\ndefault_ulimits = [\"nofile=" + permitted(RLIMIT_NOFILE, 1048576) +
            "\", \"nproc=" + permitted(RLIMIT_NPROC, 32768) + "\"]\n");
  const RunOptions options{.seconds = 60, .env = {{"CONTAINERS_CONF", path("containers.conf")}}};
  const Arguments podman{"podman", "--root",   path("root"), "--runroot",        path("run"), "--runtime",
                         "runc",   "--tmpdir", path("tmp"),  "--cgroup-manager", "cgroupfs"};
  must(podman, {"load", "-i", pause_image("docker-archive")}, options);
  must(podman, {"import", base_tar(), kBaseImage}, options);
  must(podman,
       {"pod", "create", "--name", "pod", "--network", "none", "--share", "net,ipc,uts,pid",
        "--cgroup-parent", kCgroup, "--infra-image", kImage},
       options);
  must(podman, {"pod", "start", "pod"}, options);
  const std::string infra =
      must(podman, {"pod", "inspect", "pod", "--format", "{{.InfraContainerID}}"}, options);
  const std::string pid = must(podman, {"inspect", "--format", "{{.State.Pid}}", infra}, options);
  expect_our_pause(pid);
  must(podman, {"run", "-d", "--pod", "pod", "--name", "member", kBaseImage, "sleep", "1000"}, options);
  EXPECT_EQ(
      "/pause",
      must(podman, {"exec", "member", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline"}, options).substr(0, 6));
  must(podman, {"exec", "member", "sh", "-c", kOrphans}, options);
  expect_reaping(pid);
  must(podman, {"pod", "stop", "-t", "5", "pod"}, options);
  EXPECT_EQ("0", must(podman, {"inspect", "--format", "{{.State.ExitCode}}", infra}, options));
  must(podman, {"pod", "rm", "-f", "pod"}, options);
}

TEST_F(DropIn, AsTheContainerThatDockersJoin) {
  const std::string socket = "unix://" + path("d.sock");
  Background daemon(
      {"dockerd", "--data-root", path("data"), "--exec-root", path("exec"), "--pidfile", path("pid"), "-H",
       socket, "--containerd-namespace", "drop-in", "--cgroup-parent", kCgroup},
      Background::Streams::pipes);
  const Arguments docker{"docker", "-H", socket};
  ASSERT_TRUE(eventually(
      [&] {
        return run_program({"docker", "-H", socket, "version"}).ok();
      },
      60))
      << daemon.finish(1);
  must(docker, {"load", "-i", pause_image("docker-archive")});
  must(docker, {"import", base_tar(), kBaseImage});
  must(docker, {"run", "-d", "--name", "pause", "--ipc=shareable", kImage});
  const std::string pid = must(docker, {"inspect", "--format", "{{.State.Pid}}", "pause"});
  expect_our_pause(pid);
  must(docker, {"run", "-d", "--name", "member", "--net=container:pause", "--ipc=container:pause",
                "--pid=container:pause", kBaseImage, "sleep", "1000"});
  const std::string processes = must(docker, {"exec", "member", "ps", "-o", "pid,user,args"});
  EXPECT_THAT(processes, testing::ContainsRegex(" 1 +65535 +/pause"));
  EXPECT_THAT(must(docker, {"exec", "member", "ip", "-4", "-o", "addr"}),
              HasSubstr(must(docker, {"inspect", "--format", "{{.NetworkSettings.IPAddress}}", "pause"})));
  must(docker, {"exec", "member", "sh", "-c", kOrphans});
  expect_reaping(pid);
  must(docker, {"stop", "pause"});
  EXPECT_EQ("0", must(docker, {"inspect", "--format", "{{.State.ExitCode}}", "pause"}));
  EXPECT_THAT(run_program({"docker", "-H", socket, "logs", "pause"}).err,
              HasSubstr("Shutting down, got signal: Terminated"));
  must(docker, {"rm", "-f", "pause", "member"});
  daemon.signal(SIGTERM);
  EXPECT_EQ(0, daemon.wait(60).code);
}

// Protocol buffers' wire format, as far as the requests below need it.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7) bytes.push_back(static_cast<char>(value | 128));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
std::string field(int number, std::uint64_t value) {
  return varint(static_cast<unsigned>(number) << 3) + varint(value);
}
std::string field(int number, const std::string& bytes) {
  return varint(static_cast<unsigned>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}

TEST_F(DropIn, AsContainerdsSandboxImage) {
  const std::string socket = path("c.sock");
  spill(path("config.toml"), "version = 2\nroot = \"" + path("root") + "\"\nstate = \"" + path("state") +
                                 "\"\n[grpc]\n  address = \"" + socket +
                                 "\"\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"" +
                                 kImage +
                                 "\"\n  restrict_oom_score_adj = true\n  stream_server_port = \"0\"\n");
  Background daemon({"containerd", "-c", path("config.toml")}, Background::Streams::pipes);
  const Arguments ctr{"ctr", "-a", socket, "-n", "k8s.io"};
  ASSERT_TRUE(eventually(
      [&] {
        return run_program({"ctr", "-a", socket, "version"}).ok();
      },
      60))
      << daemon.finish(1);
  must(ctr, {"images", "import", "--all-platforms", pause_image("oci-archive")});
  // A CRI client in small: one gRPC frame over HTTP/2.
  const auto call = [&](const std::string& method, const std::string& message) {
    std::string frame(1, '\0');
    for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(message.size() >> shift));
    spill(path("request"), frame + message);
    return must({"curl", "-sS", "--http2-prior-knowledge", "--unix-socket", socket},
                {"-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary",
                 "@" + path("request"), "-o", "-", "http://localhost/runtime.v1.RuntimeService/" + method});
  };
  constexpr std::uint64_t kNode = 2;
  const std::string linux = field(1, std::string(kCgroup)) + field(2, field(1, field(1, kNode)));
  const std::string config =
      field(1, field(1, std::string("pod")) + field(2, std::string("uid")) + field(3, std::string("ns"))) +
      field(3, path("logs")) + field(8, linux);
  call("RunPodSandbox", field(1, config));
  const std::string sandbox = must(ctr, {"tasks", "ls", "-q"});
  ASSERT_EQ(64U, sandbox.size()) << sandbox;
  const auto rows = lines_of(must(ctr, {"tasks", "ls"}));
  ASSERT_EQ(2U, rows.size());
  std::string pid = rows[1].substr(64);
  pid = pid.substr(pid.find_first_not_of(' '));
  expect_our_pause(pid.substr(0, pid.find(' ')));
  call("StopPodSandbox", field(1, sandbox));
  call("RemovePodSandbox", field(1, sandbox));
  EXPECT_EQ("", must(ctr, {"tasks", "ls", "-q"}));
  daemon.signal(SIGTERM);
  EXPECT_EQ(0, daemon.wait(60).code);
}

}  // namespace
}  // namespace fermata::e2e
