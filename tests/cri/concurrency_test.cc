// Many calls at once: other pods do not wait, and repeated calls on one pod agree.
#include <atomic>
#include <functional>
#include <thread>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::IsEmpty;

constexpr int kPods = 10;
constexpr int kCallers = 8;

class Concurrency : public CriTest {
 protected:
  static void at_once(int count, const std::function<void(int)>& work) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  }
};

TEST_F(Concurrency, PodsWithTwoContainersEach) {
  const int count = e2e::rounds(kPods);
  at_once(count, [&](int number) {
    v1::PodSandboxConfig config = pod_config("pod" + std::to_string(number));
    // The fixture's own helpers keep configurations, and are for one thread.
    v1::RunPodSandboxRequest request;
    *request.mutable_config() = config;
    const auto pod = client().call(&Runtime::RunPodSandbox, request);
    ASSERT_OK(pod);
    for (const char* name : {"one", "two"}) {
      v1::CreateContainerRequest wish;
      wish.set_pod_sandbox_id(pod->pod_sandbox_id());
      *wish.mutable_config() = container_config({"sleep", "1000"}, name);
      *wish.mutable_sandbox_config() = config;
      const auto made = client().call(&Runtime::CreateContainer, wish);
      ASSERT_OK(made);
      EXPECT_OK(start(made->container_id()));
      const auto reply = exec(made->container_id(), {"hostname"});
      ASSERT_OK(reply);
      EXPECT_EQ(config.hostname() + "\n", reply->stdout());
    }
  });
  v1::ContainerFilter running;
  running.mutable_state()->set_state(v1::CONTAINER_RUNNING);
  EXPECT_EQ(2U * static_cast<unsigned>(count), containers(running).size());
  std::set<std::string> addresses;
  for (const v1::PodSandbox& pod : pods()) addresses.insert(pod_status(pod.id()).network().ip());
  EXPECT_EQ(static_cast<std::size_t>(count), addresses.size()) << "each has an address of its own";
  const std::vector<v1::PodSandbox> all = pods();
  at_once(static_cast<int>(all.size()), [&](int number) {
    EXPECT_OK(ask_stop_pod(all[number].id()));
    EXPECT_OK(ask_remove_pod(all[number].id()));
  });
  EXPECT_THAT(pods(), IsEmpty());
}

TEST_F(Concurrency, StopsOfOnePod) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sleep", "1000"});
  at_once(kCallers, [&](int) { EXPECT_OK(ask_stop_pod(pod)); });
  EXPECT_EQ(v1::CONTAINER_EXITED, status(id).state());
}

TEST_F(Concurrency, StopsOfOneContainer) {
  const std::string id = run(run_pod(), {"sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"});
  at_once(kCallers, [&](int) { EXPECT_OK(stop(id, 1)); });
  EXPECT_EQ(137, status(id).exit_code());
}

TEST_F(Concurrency, StatusAndListsWhilePodsComeAndGo) {
  std::atomic<bool> over = false;
  std::jthread reader([&] {
    while (!over) {
      EXPECT_OK(client().call(&Runtime::ListPodSandbox, v1::ListPodSandboxRequest()));
      EXPECT_OK(client().call(&Runtime::ListContainers, v1::ListContainersRequest()));
      EXPECT_OK(client().call(&Runtime::ListContainerStats, v1::ListContainerStatsRequest()));
    }
  });
  for (int i = 0; i < e2e::rounds(5); ++i) {
    const std::string pod = run_pod();
    run(pod, {"sleep", "1000"});
    remove_pod(pod);
  }
  over = true;
}

TEST_F(Concurrency, ACallThatIsCancelledLeavesNothingHalfMade) {
  for (int i = 0; i < e2e::rounds(5); ++i) {
    v1::PodSandboxConfig config = pod_config();
    config.mutable_metadata()->set_attempt(i);
    v1::RunPodSandboxRequest request;
    *request.mutable_config() = config;
    constexpr double kTooShort = 0.001;
    const auto reply = client().call(&Runtime::RunPodSandbox, request, kTooShort * (i + 1));
    EXPECT_TRUE(reply.ok() || reply.code() == grpc::DEADLINE_EXCEEDED) << reply;
  }
  // What was made is whole, and can be removed; TearDown sees that nothing else is there.
  EXPECT_TRUE(eventually([&] {
    for (const v1::PodSandbox& pod : pods())
      if (!ask_remove_pod(pod.id()).ok()) return false;
    return pods().empty();
  }));
}

}  // namespace
}  // namespace fermata::cri_test
