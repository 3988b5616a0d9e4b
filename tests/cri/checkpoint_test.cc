// CheckpointContainer: archives of containers that go on (KEP-2008), where CRIU knows the kernel.
#include <sys/stat.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cri/fixture.h"
#include "e2e/support/host.h"

namespace fermata::cri_test {
namespace {

namespace fs = std::filesystem;
using e2e::Outcome;
using e2e::run_program;
using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

using CheckpointReply = Reply<v1::CheckpointContainerResponse>;

class CheckpointBase : public CriTest {
 protected:
  void SetUp() override {
    CriTest::SetUp();
    if (is_containerd()) GTEST_SKIP() << "Debian 12's containerd is older than the protocol";
    directory_ = scratch("checkpoints");
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override {
    if (!is_containerd()) {
      // Of the work nothing is left.
      for (const auto& entry : fs::directory_iterator(scratch("d/root")))
        EXPECT_EQ(entry.path().filename().string().rfind("checkpoint-", 0), std::string::npos)
            << entry.path();
    }
    CriTest::TearDown();
  }
  static Outcome probe() { return run_program({"criu", "check"}, {.seconds = 60}); }

  static CheckpointReply checkpoint(const std::string& id, const std::string& location,
                                    std::int64_t timeout = 0) {
    v1::CheckpointContainerRequest request;
    request.set_container_id(id);
    request.set_location(location);
    request.set_timeout(timeout);
    return client().call(&Runtime::CheckpointContainer, request, 120);
  }
  std::string archive() const { return directory_ + "/archive.tar"; }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) names.insert(entry.path().filename());
    return names;
  }
  // Says a line five times a second.
  static v1::ContainerConfig ticking(const std::string& before = "true") {
    return container_config(
        {"sh", "-c", before + "; echo ready; while :; do echo tick; usleep 200000; done"});
  }
  static bool is_ready() {
    return eventually([] { return logged().size() > 1; });
  }
  static bool goes_on() {
    const std::size_t before = logged().size();
    return eventually([&] { return logged().size() > before + 1; });
  }

  std::string directory_;
};

class Checkpoint : public CheckpointBase {
 protected:
  void SetUp() override {
    CheckpointBase::SetUp();
    if (IsSkipped()) return;
    if (const Outcome check = probe(); !check.ok())
      GTEST_SKIP() << "criu check: " << (check.err.empty() ? check.out : check.err);
  }
  std::string member(const std::string& name) const {
    return run_program({"tar", "-xOf", archive(), name}, {.seconds = 60}).out;
  }
  std::set<std::string> members(const std::string& of) const {
    std::istringstream listed(run_program({"tar", "-tf", of}, {.seconds = 60}).out);
    std::set<std::string> names;
    for (std::string line; std::getline(listed, line);) names.insert(line);
    return names;
  }
};

TEST_F(Checkpoint, HasAllThatAContainerIsAndLetsItGoOn) {
  fs::create_directories(scratch("data/inner"));
  v1::ContainerConfig config = ticking(
      "rm /bin/yes; rm -r /var/data; mkdir /var/data /made; echo text > /made/file; ln /made/file "
      "/made/same; chmod 640 /made/file");
  auto& mount = *config.add_mounts();
  mount.set_host_path(scratch("data"));
  mount.set_container_path("/data");
  const std::string id = run(run_pod(), config);
  ASSERT_TRUE(is_ready());
  const CheckpointReply done = checkpoint(id, archive());
  ASSERT_OK(done);
  EXPECT_TRUE(goes_on());
  EXPECT_EQ(inside(id, {"cat", "/made/file"}), "text");
  EXPECT_EQ(status(id).state(), v1::CONTAINER_RUNNING);

  struct stat info = {};
  ASSERT_EQ(0, ::stat(archive().c_str(), &info));
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(files(), std::set<std::string>{"archive.tar"});
  const auto names = members(archive());
  for (const char* name :
       {"config.dump", "spec.dump", "bind.mounts", "dump.log", "stats-dump", "rootfs-diff.tar",
        "deleted.files", "container.log", "checkpoint/", "checkpoint/inventory.img", "checkpoint/pstree.img",
        "checkpoint/pages-1.img", "checkpoint/descriptors.json"})
    EXPECT_THAT(names, Contains(name));

  const json whose = json::parse(member("config.dump"));
  EXPECT_EQ(whose["id"], id);
  EXPECT_EQ(whose["runtime"], "fermata");
  EXPECT_EQ(whose["rootfsImageName"], image());
  const json spec = json::parse(member("spec.dump"));
  EXPECT_EQ(spec["annotations"]["io.container.manager"], "fermata");
  EXPECT_EQ(spec["annotations"]["io.kubernetes.cri.container-name"], "main");
  EXPECT_EQ(spec["annotations"]["io.kubernetes.cri.sandbox-name"], "pod");
  EXPECT_EQ(spec["process"]["args"][0], "sh");
  const json binds = json::parse(member("bind.mounts"));
  EXPECT_THAT(binds.dump(), HasSubstr(R"("destination":"/data")"));
  EXPECT_EQ(json::parse(member("deleted.files")), json({"/bin/yes", "/var/data/seed"}));
  EXPECT_THAT(member("container.log"), HasSubstr("stdout F ready"));

  const std::string changes = directory_ + "/changes.tar";
  e2e::spill(changes, member("rootfs-diff.tar"));
  const auto changed = members(changes);
  EXPECT_THAT(changed, Contains("made/file"));
  EXPECT_THAT(changed, Contains("made/same"));
  EXPECT_EQ(changed.count("etc/hosts"), 0u);
  EXPECT_EQ(changed.count("bin/yes"), 0u);
  EXPECT_EQ(run_program({"tar", "-xOf", changes, "made/file"}).out, "text\n");
}

TEST_F(Checkpoint, DoesNotMindWhatIsExecutedNorWhatIsShared) {
  v1::PodSandboxConfig config = pod_config();
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::POD);
  v1::ContainerConfig container = ticking("exec 5</bin/busybox");
  container.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::POD);
  const std::string id = run(run_pod(config), container);
  ASSERT_TRUE(is_ready());
  v1::ExecSyncRequest command;
  command.set_container_id(id);
  command.add_cmd("sleep");
  command.add_cmd("30");
  command.set_timeout(60);
  auto exec = std::async(std::launch::async, [&] { return client().call(&Runtime::ExecSync, command, 240); });
  ASSERT_TRUE(eventually([&] { return inside(id, {"sh", "-c", "ps | grep -c '[s]leep 30' || true"}) == "1"; }));
  const CheckpointReply done = checkpoint(id, archive());
  EXPECT_OK(done);
  EXPECT_TRUE(goes_on());
  const auto executed = exec.get();
  ASSERT_OK(executed);
  EXPECT_EQ(executed->exit_code(), 0);
}

TEST_F(Checkpoint, OfATerminalToo) {
  v1::ContainerConfig config = ticking();
  config.set_tty(true);
  const std::string id = run(run_pod(), config);
  ASSERT_TRUE(is_ready());
  EXPECT_OK(checkpoint(id, archive()));
  EXPECT_TRUE(goes_on());
}

// However fast the machine is: in time or not at all.
TEST_F(Checkpoint, KeepsToItsTime) {
  const std::string id = run(run_pod(), ticking("head -c 100000000 /dev/zero > /big"));
  ASSERT_TRUE(is_ready());
  const CheckpointReply done = checkpoint(id, archive(), 1);
  if (done.ok()) {
    EXPECT_EQ(files(), std::set<std::string>{"archive.tar"});
  } else {
    EXPECT_EQ(done.code(), grpc::DEADLINE_EXCEEDED) << done;
    EXPECT_EQ(files(), std::set<std::string>{});
  }
  EXPECT_TRUE(goes_on());
  // What was broken off is taken back, so that the next one works.
  EXPECT_TRUE(eventually([&] { return checkpoint(id, archive()).ok(); }, 60));
  EXPECT_TRUE(goes_on());
}

using CheckpointRefusals = CheckpointBase;

TEST_F(CheckpointRefusals, AreByName) {
  const std::string pod = run_pod();
  const std::string id = create(pod, container_config({"true"}));
  EXPECT_EQ(grpc::FAILED_PRECONDITION, checkpoint(id, archive()).code());
  EXPECT_EQ(grpc::NOT_FOUND, checkpoint("nobody", archive()).code());
  EXPECT_EQ(grpc::INVALID_ARGUMENT, checkpoint(id, "").code());
  EXPECT_EQ(grpc::INVALID_ARGUMENT, checkpoint("", archive()).code());
  EXPECT_EQ(grpc::INVALID_ARGUMENT, checkpoint(id, archive(), -1).code());
  ASSERT_OK(start(id));
  wait_exited(id);
  const CheckpointReply ended = checkpoint(id, archive());
  EXPECT_EQ(grpc::FAILED_PRECONDITION, ended.code());
  EXPECT_THAT(ended.error(), HasSubstr("does not run"));
  const std::string other = run(pod, container_config({"sleep", "1000"}, "other"));
  EXPECT_EQ(grpc::INVALID_ARGUMENT, checkpoint(other, "relative.tar").code());
  EXPECT_EQ(grpc::INVALID_ARGUMENT, checkpoint(other, directory_).code());
  const CheckpointReply nowhere = checkpoint(other, directory_ + "/none/archive.tar");
  EXPECT_FALSE(nowhere.ok());
  EXPECT_NE(grpc::NOT_FOUND, nowhere.code()) << "a kubelet would forget the container";
  EXPECT_EQ(files(), std::set<std::string>{});
  EXPECT_EQ(status(other).state(), v1::CONTAINER_RUNNING);
}

TEST_F(CheckpointRefusals, TellWhatCriuLacks) {
  if (probe().ok()) GTEST_SKIP() << "criu knows this kernel";
  const std::string id = run(run_pod(), ticking());
  ASSERT_TRUE(is_ready());
  const CheckpointReply done = checkpoint(id, archive());
  EXPECT_EQ(grpc::FAILED_PRECONDITION, done.code());
  EXPECT_THAT(done.error(), HasSubstr("criu"));
  EXPECT_EQ(files(), std::set<std::string>{});
  EXPECT_TRUE(goes_on());
}

}  // namespace
}  // namespace fermata::cri_test
