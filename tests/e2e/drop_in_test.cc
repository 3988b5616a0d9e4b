// Our pause where other engines have theirs: podman's infra container, the container that docker's
// --net=container: joins, containerd's sandbox.
#include <string>

#include "e2e/support/engines.h"

namespace fermata::e2e {
namespace {

using testing::HasSubstr;

constexpr char kImage[] = "localhost/drop-in/pause:1";
constexpr char kBaseImage[] = "drop-in-base";

class DropIn : public EngineTest {
 protected:
  std::string pause_image(const std::string& form) const {
    const std::string file = path(form + ".tar");
    const Outcome made =
        run_program({kFermata, "pause-image", "--output", form + ":" + file, "--tag", kImage});
    EXPECT_TRUE(made.ok()) << made;
    return file;
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
};

constexpr char kOrphans[] = "for i in 1 2 3 4 5; do (sh -c 'sleep 0.1 & exit' &); done; sleep 0.5";

TEST_F(DropIn, AsPodmansInfraImage) {
  const Arguments podman = this->podman("runc");
  must(podman, {"load", "-i", pause_image("docker-archive")});
  must(podman, {"import", base_tar(), kBaseImage});
  must(podman, {"pod", "create", "--name", "pod", "--network", "none", "--share", "net,ipc,uts,pid",
                "--cgroup-parent", cgroup(), "--infra-image", kImage});
  must(podman, {"pod", "start", "pod"});
  const std::string infra = must(podman, {"pod", "inspect", "pod", "--format", "{{.InfraContainerID}}"});
  const std::string pid = must(podman, {"inspect", "--format", "{{.State.Pid}}", infra});
  expect_our_pause(pid);
  must(podman, {"run", "-d", "--pod", "pod", "--name", "member", kBaseImage, "sleep", "1000"});
  EXPECT_EQ("/pause",
            must(podman, {"exec", "member", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline"}).substr(0, 6));
  must(podman, {"exec", "member", "sh", "-c", kOrphans});
  expect_reaping(pid);
  must(podman, {"pod", "stop", "-t", "5", "pod"});
  EXPECT_EQ("0", must(podman, {"inspect", "--format", "{{.State.ExitCode}}", infra}));
  must(podman, {"pod", "rm", "-f", "pod"});
}

TEST_F(DropIn, AsTheContainerThatDockersJoin) {
  Dockerd daemon(path(""), cgroup());
  const Arguments& docker = daemon.client();
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
  EXPECT_THAT(run(docker, {"logs", "pause"}).err, HasSubstr("Shutting down, got signal: Terminated"));
  must(docker, {"rm", "-f", "pause", "member"});
  EXPECT_EQ(0, daemon.stop());
}

TEST_F(DropIn, AsContainerdsSandboxImage) {
  Containerd daemon(path(""), "  sandbox_image = \"" + std::string(kImage) + "\"\n");
  const Arguments ctr = daemon.client("k8s.io");
  must(ctr, {"images", "import", "--all-platforms", pause_image("oci-archive")});
  constexpr std::uint64_t kNode = 2;
  const std::string linux = field(1, cgroup()) + field(2, field(1, field(1, kNode)));
  const std::string config =
      field(1, field(1, std::string("pod")) + field(2, std::string("uid")) + field(3, std::string("ns"))) +
      field(3, path("logs")) + field(8, linux);
  daemon.call("RunPodSandbox", field(1, config));
  const std::string sandbox = must(ctr, {"tasks", "ls", "-q"});
  ASSERT_EQ(64U, sandbox.size()) << sandbox;
  const auto rows = lines_of(must(ctr, {"tasks", "ls"}));
  ASSERT_EQ(2U, rows.size());
  std::string pid = rows[1].substr(64);
  pid = pid.substr(pid.find_first_not_of(' '));
  expect_our_pause(pid.substr(0, pid.find(' ')));
  daemon.call("StopPodSandbox", field(1, sandbox));
  daemon.call("RemovePodSandbox", field(1, sandbox));
  EXPECT_EQ("", must(ctr, {"tasks", "ls", "-q"}));
  EXPECT_EQ(0, daemon.stop());
}

}  // namespace
}  // namespace fermata::e2e
