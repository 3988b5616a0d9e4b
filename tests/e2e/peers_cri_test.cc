// fermata-oci as the runtime of containerd's CRI plugin: a pod with a container, as a kubelet drives them.
#include <string>

#include "e2e/support/archives.h"
#include "e2e/support/engines.h"

namespace fermata::e2e {
namespace {

constexpr char kPauseImage[] = "localhost/peers/pause:1";
constexpr char kImage[] = "localhost/peers/base:1";
constexpr char kPath[] = "/bin";

// Of the CRI's runtime.v1, by field number.
constexpr std::uint64_t kNodeNetwork = 2;
enum State : std::uint64_t { created = 0, running = 1, exited = 2 };
constexpr int kExitCode = 7, kState = 3;

std::string words(int number, const Arguments& all) {
  std::string message;
  for (const std::string& word : all) message += field(number, word);
  return message;
}

class PeersCri : public EngineTest {
 protected:
  std::string sandbox_config() const {
    const std::string metadata =
        field(1, std::string("pod")) + field(2, std::string("uid")) + field(3, std::string("ns"));
    const std::string security = field(1, field(1, kNodeNetwork));
    return field(1, metadata) + field(3, path("logs")) + field(8, field(1, cgroup()) + field(2, security));
  }
  static std::string container_config(const Arguments& command) {
    const std::string variable = field(1, std::string("PATH")) + field(2, std::string(kPath));
    constexpr std::uint64_t kMemory = 64 << 20;
    return field(1, field(1, std::string("main"))) + field(2, field(1, std::string(kImage))) +
           words(3, command) + field(6, variable) + field(11, std::string("main.log")) +
           field(15, field(1, field(4, kMemory)));
  }
  static std::string only_string(const std::string& message, int number) {
    const auto found = strings_of(message, number);
    EXPECT_EQ(1U, found.size());
    return found.empty() ? "" : found[0];
  }
  static std::uint64_t number_in(const std::string& message, int number) {
    const auto found = numbers_of(message, number);
    return found.empty() ? 0 : found[0];  // zero is not written
  }
  // Makes the container of `command` and starts it; its id.
  std::string start(const Containerd& daemon, const std::string& sandbox, const Arguments& command) const {
    const std::string id =
        only_string(daemon.call("CreateContainer", field(1, sandbox) + field(2, container_config(command)) +
                                                       field(3, sandbox_config())),
                    1);
    daemon.call("StartContainer", field(1, id));
    return id;
  }
  static std::string status(const Containerd& daemon, const std::string& id) {
    return only_string(daemon.call("ContainerStatus", field(1, id)), 1);
  }
  static bool ends(const Containerd& daemon, const std::string& id) {
    return eventually([&] { return number_in(status(daemon, id), kState) == exited; }, 15);
  }
};

TEST_F(PeersCri, DrivesAPod) {
  const std::string plugin = "[plugins.\"io.containerd.grpc.v1.cri\".containerd";
  Containerd daemon(path(""), "  sandbox_image = \"" + std::string(kPauseImage) + "\"\n" + plugin +
                                  "]\n  default_runtime_name = \"fermata\"\n" + plugin +
                                  ".runtimes.fermata]\n  runtime_type = \"io.containerd.runc.v2\"\n" +
                                  plugin + ".runtimes.fermata.options]\n  BinaryName = \"" + kFermataOci +
                                  "\"\n");
  const Arguments ctr = daemon.client("k8s.io");
  const Outcome made = run_program(
      {kFermata, "pause-image", "--output", "oci-archive:" + path("pause.tar"), "--tag", kPauseImage});
  ASSERT_TRUE(made.ok()) << made;
  must(ctr, {"images", "import", "--all-platforms", path("pause.tar")});
  write_docker_archive({.layer_tar = base_tar(), .name = kImage}, path("image.tar"));
  must(ctr, {"images", "import", path("image.tar")});

  const std::string sandbox = only_string(
      daemon.call("RunPodSandbox", field(1, sandbox_config()) + field(2, std::string("fermata"))), 1);
  const std::string id =
      start(daemon, sandbox, {"sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done"});
  EXPECT_EQ(running, number_in(status(daemon, id), kState));
  EXPECT_TRUE(eventually([&] { return contains(slurp(path("logs/main.log")), "stdout F up"); }));

  const auto exec = [&](const Arguments& command) {
    return daemon.call("ExecSync", field(1, id) + words(2, command));
  };
  const std::string executed = exec({"sh", "-c", "echo out; echo err >&2; exit 6"});
  EXPECT_EQ("out\n", only_string(executed, 1));
  EXPECT_EQ("err\n", only_string(executed, 2));
  EXPECT_EQ(6U, number_in(executed, 3));
  constexpr char kLimit[] =
      "cd /sys/fs/cgroup; if test -e memory; then cat memory/memory.limit_in_bytes; else cat memory.max; fi";
  EXPECT_EQ("67108864\n", only_string(exec({"sh", "-c", kLimit}), 1));
  constexpr std::uint64_t kMore = 96 << 20;
  daemon.call("UpdateContainerResources", field(1, id) + field(2, field(4, kMore)));
  EXPECT_EQ("100663296\n", only_string(exec({"sh", "-c", kLimit}), 1));
  const std::string stats = only_string(daemon.call("ContainerStats", field(1, id)), 1);
  EXPECT_GT(number_in(only_string(only_string(stats, 3), 2), 1), 0U);  // the working set's bytes

  constexpr std::uint64_t kGrace = 10;
  daemon.call("StopContainer", field(1, id) + field(2, kGrace));
  EXPECT_EQ(exited, number_in(status(daemon, id), kState));
  EXPECT_EQ(5U, number_in(status(daemon, id), kExitCode));
  daemon.call("RemoveContainer", field(1, id));

  const std::string failing = start(daemon, sandbox, {"sh", "-c", "exit 7"});
  EXPECT_TRUE(ends(daemon, failing));
  EXPECT_EQ(7U, number_in(status(daemon, failing), kExitCode));
  daemon.call("RemoveContainer", field(1, failing));

  daemon.call("StopPodSandbox", field(1, sandbox));
  daemon.call("RemovePodSandbox", field(1, sandbox));
  EXPECT_EQ("", must(ctr, {"tasks", "ls", "-q"}));
  EXPECT_EQ(0, daemon.stop());
}

}  // namespace
}  // namespace fermata::e2e
