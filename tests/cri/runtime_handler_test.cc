// Pods whose RuntimeClass names a handler: Debian's runc or crun, which both daemons know by that name.
#include <filesystem>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::Contains;
using testing::ElementsAre;

class RuntimeHandler : public CriTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    CriTest::SetUp();
    if (IsSkipped()) return;
    if (GetParam() == std::string("crun") && !std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers"))
      GTEST_SKIP() << "crun refuses hosts with v1 hierarchies beside the v2 tree";
  }
  // A container in a pod of the handler's; it is removed with the pod by the fixture.
  std::string run_by_handler(const v1::PodSandboxConfig& config, const v1::ContainerConfig& container) {
    v1::RunPodSandboxRequest sandbox;
    *sandbox.mutable_config() = config;
    sandbox.set_runtime_handler(GetParam());
    const auto pod = client().call(&Runtime::RunPodSandbox, sandbox);
    EXPECT_OK(pod);
    v1::CreateContainerRequest request;
    request.set_pod_sandbox_id(pod->pod_sandbox_id());
    *request.mutable_config() = container;
    *request.mutable_sandbox_config() = config;
    const auto created = client().call(&Runtime::CreateContainer, request);
    EXPECT_OK(created);
    EXPECT_OK(start(created->container_id()));
    pod_ = pod->pod_sandbox_id();
    return created->container_id();
  }
  std::string pod_;
};

TEST_P(RuntimeHandler, RunsAContainerOfThePod) {
  const auto config = pod_config();
  const std::string id = run_by_handler(
      config, container_config({"sh", "-c", "echo up; trap 'exit 5' TERM; while :; do sleep 0.1; done"}));
  EXPECT_EQ(GetParam(), pod_status(pod_).runtime_handler());
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(id).state());
  EXPECT_TRUE(eventually([] { return !logged().empty(); }));
  EXPECT_THAT(logged(), ElementsAre("stdout F up"));
  EXPECT_EQ("1", inside(id, {"sh", "-c", "echo 1"}));
  const auto failed = exec(id, {"sh", "-c", "exit 3"});
  ASSERT_OK(failed);
  EXPECT_EQ(3, failed->exit_code());
  EXPECT_FALSE(exec(id, {"sleep", "1000"}, 1).ok());
  ASSERT_OK(stop(id, 5));
  EXPECT_EQ(5, wait_exited(id).exit_code());
  ASSERT_OK(remove(id));
  remove_pod(pod_);
}

TEST_P(RuntimeHandler, OutlivesTheDaemon) {
  const std::string id = run_by_handler(pod_config(), container_config({"sleep", "1000"}));
  EXPECT_EQ(0, daemon().stop());
  daemon().start();
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(id).state());
  EXPECT_EQ("here", inside(id, {"echo", "here"}));
  ASSERT_OK(stop(id));
  EXPECT_EQ(137, wait_exited(id).exit_code());
  remove_pod(pod_);
}

TEST_P(RuntimeHandler, IsListedAndOthersAreRefused) {
  v1::StatusRequest request;
  const auto reply = client().call(&Runtime::Status, request);
  ASSERT_OK(reply);
  if (!is_containerd()) {
    std::vector<std::string> names;
    for (const auto& handler : reply->runtime_handlers()) names.push_back(handler.name());
    EXPECT_THAT(names, Contains(GetParam()));
  }
  v1::RunPodSandboxRequest sandbox;
  *sandbox.mutable_config() = pod_config();
  sandbox.set_runtime_handler("nobody");
  const auto refused = client().call(&Runtime::RunPodSandbox, sandbox);
  EXPECT_FALSE(refused.ok());
}

INSTANTIATE_TEST_SUITE_P(Debians, RuntimeHandler, testing::Values("runc", "crun"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace fermata::cri_test
