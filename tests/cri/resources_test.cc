// Resources: limits of containers, changed in place, and what happens at them.
#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

constexpr std::int64_t kMegabyte = 1 << 20;

class Resources : public CriTest {
 protected:
  static v1::ContainerConfig limited(const Arguments& command, std::int64_t memory) {
    v1::ContainerConfig config = container_config(command);
    v1::LinuxContainerResources& resources = *config.mutable_linux()->mutable_resources();
    resources.set_memory_limit_in_bytes(memory);
    resources.set_cpu_period(100000);
    resources.set_cpu_quota(50000);
    resources.set_cpu_shares(512);
    return config;
  }
  // As the container sees its own group, on cgroup v1 or v2.
  static std::string limit_inside(const std::string& id, const std::string& v1_file,
                                  const std::string& v2_file) {
    return inside(
        id, {"sh", "-c", "cat /sys/fs/cgroup/" + v1_file + " 2>/dev/null || cat /sys/fs/cgroup/" + v2_file});
  }
  static Reply<v1::UpdateContainerResourcesResponse> update(const std::string& id,
                                                            const v1::LinuxContainerResources& resources) {
    v1::UpdateContainerResourcesRequest request;
    request.set_container_id(id);
    *request.mutable_linux() = resources;
    return client().call(&Runtime::UpdateContainerResources, request);
  }
};

TEST_F(Resources, LimitAContainer) {
  const std::string id = run(run_pod(), limited({"sleep", "1000"}, 64 * kMegabyte));
  EXPECT_EQ(std::to_string(64 * kMegabyte), limit_inside(id, "memory/memory.limit_in_bytes", "memory.max"));
  const std::string quota = limit_inside(id, "cpu/cpu.cfs_quota_us", "cpu.max");
  EXPECT_TRUE(quota == "50000" || quota == "50000 100000") << quota;
}

// A kubelet limits all sizes that a pod does not ask for to nothing, whether the controller can be had or not.
TEST_F(Resources, OfHugePagesThatAreNotGivenNeedNoController) {
  v1::ContainerConfig config = limited({"sleep", "1000"}, 64 * kMegabyte);
  auto* pages = config.mutable_linux()->mutable_resources()->add_hugepage_limits();
  pages->set_page_size("2MB");
  pages->set_limit(0);
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(run(run_pod(), config)).state());
}

TEST_F(Resources, AreShownInTheStatus) {
  const std::string id = run(run_pod(), limited({"sleep", "1000"}, 64 * kMegabyte));
  const v1::ContainerStatus at = status(id);
  if (is_containerd() && !at.has_resources()) GTEST_SKIP() << "this containerd does not tell";
  EXPECT_EQ(64 * kMegabyte, at.resources().linux().memory_limit_in_bytes());
  EXPECT_EQ(50000, at.resources().linux().cpu_quota());
  EXPECT_EQ(100000, at.resources().linux().cpu_period());
  EXPECT_EQ(512, at.resources().linux().cpu_shares());
}

TEST_F(Resources, ChangeInPlace) {
  const std::string id = run(run_pod(), limited({"sleep", "1000"}, 64 * kMegabyte));
  v1::LinuxContainerResources resources;
  resources.set_memory_limit_in_bytes(128 * kMegabyte);
  resources.set_cpu_period(100000);
  resources.set_cpu_quota(70000);
  ASSERT_OK(update(id, resources));
  EXPECT_EQ(std::to_string(128 * kMegabyte), limit_inside(id, "memory/memory.limit_in_bytes", "memory.max"));
  const std::string quota = limit_inside(id, "cpu/cpu.cfs_quota_us", "cpu.max");
  EXPECT_TRUE(quota == "70000" || quota == "70000 100000") << quota;
}

TEST_F(Resources, ChangeBeforeTheStart) {
  const std::string id = create(run_pod(), limited({"sleep", "1000"}, 64 * kMegabyte));
  v1::LinuxContainerResources resources;
  resources.set_memory_limit_in_bytes(96 * kMegabyte);
  ASSERT_OK(update(id, resources));
  ASSERT_OK(start(id));
  EXPECT_EQ(std::to_string(96 * kMegabyte), limit_inside(id, "memory/memory.limit_in_bytes", "memory.max"));
}

TEST_F(Resources, OfAPodAreKept) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sleep", "1000"});
  v1::UpdatePodSandboxResourcesRequest request;
  request.set_pod_sandbox_id(pod);
  request.mutable_resources()->set_memory_limit_in_bytes(512 * kMegabyte);
  request.mutable_overhead()->set_cpu_shares(3);
  const auto reply = client().call(&Runtime::UpdatePodSandboxResources, request);
  if (too_old_for(reply)) GTEST_SKIP() << "this containerd does not know the call";
  ASSERT_OK(reply);
  // The group is the kubelet's; the daemon keeps what it was told, over its own end, too.
  daemon().kill();
  daemon().start();
  v1::PodSandboxStatusRequest asked;
  asked.set_pod_sandbox_id(pod);
  asked.set_verbose(true);
  const auto at = client().call(&Runtime::PodSandboxStatus, asked);
  ASSERT_OK(at);
  const std::string info = at->info().at("info");
  EXPECT_THAT(info, testing::HasSubstr(std::to_string(512 * kMegabyte)));
  EXPECT_THAT(info, testing::HasSubstr("\"cpu_shares\":\"3\""));
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(id).state());
  request.set_pod_sandbox_id(std::string(64, 'f'));
  EXPECT_EQ(grpc::NOT_FOUND, client().call(&Runtime::UpdatePodSandboxResources, request).code());
}

TEST_F(Resources, AContainerThatWantsTooMuchMemoryIsKilled) {
  const std::string id =
      run(run_pod(), limited({"/bin/probe", "allocate", std::to_string(200 * kMegabyte)}, 32 * kMegabyte));
  const v1::ContainerStatus at = wait_exited(id);
  EXPECT_EQ("OOMKilled", at.reason());
  EXPECT_EQ(137, at.exit_code());
}

TEST_F(Resources, AreInTheGroupThatThePodWasGiven) {
  v1::PodSandboxConfig config = pod_config();
  const std::string id = run(run_pod(config), {"sleep", "1000"});
  const std::string parent = config.linux().cgroup_parent();
  const e2e::Outcome found =
      e2e::run_program({"sh", "-c", "find /sys/fs/cgroup -type d -path '*" + parent + "/*' | head -1"});
  EXPECT_NE("", found.out);
  EXPECT_OK(remove(id));
}

}  // namespace
}  // namespace fermata::cri_test
