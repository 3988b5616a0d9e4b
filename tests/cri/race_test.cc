// Calls that meet: a pod or a container is stopped or removed while it is being made, its caller leaves
// early, or several ask for the same. Nothing half made may stay, which the fixture looks for after each
// test.
#include <chrono>
#include <future>
#include <thread>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr int kCallers = 8;

class Race : public CriTest {
 protected:
  static Reply<v1::RunPodSandboxResponse> ask_run_pod(const v1::PodSandboxConfig& config,
                                                      double seconds = kDeadline) {
    v1::RunPodSandboxRequest request;
    *request.mutable_config() = config;
    return client().call(&Runtime::RunPodSandbox, request, seconds);
  }
  static Reply<v1::CreateContainerResponse> ask_create(const std::string& pod, double seconds = kDeadline) {
    v1::CreateContainerRequest request;
    request.set_pod_sandbox_id(pod);
    *request.mutable_config() = container_config({"sleep", "1000"});
    *request.mutable_sandbox_config() = pod_config();
    return client().call(&Runtime::CreateContainer, request, seconds);
  }
  template <typename Call>
  static auto beside(Call call) {
    return std::async(std::launch::async, std::move(call));
  }
  // Each round a little later than the one before, so that they hit different steps.
  static void wait_a_little(int round) {
    std::this_thread::sleep_for(std::chrono::microseconds(700) * round);
  }
  // As a kubelet removes: again, when something stood in the way. Fermata needs no second time, and no stop.
  static void remove_soon(const std::string& pod) {
    if (!is_containerd()) {
      EXPECT_OK(ask_remove_pod(pod));
      return;
    }
    EXPECT_TRUE(eventually(
        [&] {
          const auto stopped = ask_stop_pod(pod);
          return (stopped.ok() || stopped.code() == grpc::NOT_FOUND) && ask_remove_pod(pod).ok();
        },
        20));
  }
  // The same call several times at once.
  template <typename Call>
  static auto at_once(Call call) {
    std::vector<decltype(beside(call))> calls;
    for (int i = 0; i < kCallers; ++i) calls.push_back(beside(call));
    std::vector<decltype(call())> replies;
    for (auto& each : calls) replies.push_back(each.get());
    return replies;
  }
};

TEST_F(Race, APodIsStoppedAndRemovedWhileItIsMade) {
  for (int i = 0; i < e2e::rounds(8); ++i) {
    v1::PodSandboxConfig config = pod_config();
    config.mutable_metadata()->set_attempt(static_cast<unsigned>(i));
    auto made = beside([&] { return ask_run_pod(config); });
    const auto is_over = [&] { return made.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    while (!is_over())
      for (const v1::PodSandbox& pod : pods()) {
        const auto stopped = ask_stop_pod(pod.id());
        EXPECT_TRUE(stopped.ok() || is_containerd()) << stopped;
        remove_soon(pod.id());
      }
    // It was made before, or it was taken away from under who made it: then it says so.
    const auto reply = made.get();
    if (reply.ok()) remove_soon(reply->pod_sandbox_id());
    EXPECT_THAT(pods(), IsEmpty()) << reply;
  }
}

TEST_F(Race, APodIsRemovedWhileItsContainerIsCreated) {
  for (int i = 0; i < e2e::rounds(8); ++i) {
    const std::string pod = run_pod();
    auto created = beside([&] { return ask_create(pod); });
    wait_a_little(i);
    remove_soon(pod);
    created.wait();
    EXPECT_THAT(pods(), IsEmpty());
    EXPECT_THAT(containers(), IsEmpty()) << created.get();
  }
}

TEST_F(Race, APodIsRemovedWhileItsContainerStarts) {
  for (int i = 0; i < e2e::rounds(8); ++i) {
    const std::string pod = run_pod();
    const std::string id = create(pod, container_config({"sleep", "1000"}));
    auto started = beside([&] { return start(id); });
    wait_a_little(i);
    remove_soon(pod);
    started.wait();
    EXPECT_THAT(pods(), IsEmpty());
    EXPECT_THAT(containers(), IsEmpty()) << started.get();
  }
}

TEST_F(Race, APodIsStoppedWhileItsContainerStarts) {
  for (int i = 0; i < e2e::rounds(8); ++i) {
    v1::PodSandboxConfig config = pod_config();
    config.mutable_metadata()->set_attempt(static_cast<unsigned>(i));
    const std::string pod = run_pod(config);
    const std::string id = create(pod, container_config({"sleep", "1000"}));
    auto started = beside([&] { return start(id); });
    wait_a_little(i);
    const auto stopped = ask_stop_pod(pod);
    started.wait();
    if (is_containerd() && !stopped.ok()) stop_pod(pod);
    EXPECT_TRUE(is_containerd() || stopped.ok()) << stopped;
    EXPECT_EQ(v1::SANDBOX_NOTREADY, pod_status(pod).state());
    EXPECT_NE(v1::CONTAINER_RUNNING, status(id).state()) << started.get();
    remove_soon(pod);
  }
}

TEST_F(Race, AContainerIsStoppedAndRemovedWhileItStarts) {
  const std::string pod = run_pod();
  for (int i = 0; i < e2e::rounds(8); ++i) {
    const std::string id = create(pod, container_config({"sleep", "1000"}));
    auto started = beside([&] { return start(id); });
    wait_a_little(i);
    if (is_containerd()) started.wait();  // it refuses to remove what is starting
    EXPECT_OK(stop(id));
    const auto removed = remove(id);
    EXPECT_OK(removed);
    started.wait();
    EXPECT_THAT(containers(), IsEmpty()) << started.get();
  }
}

// What its caller has given up is there when it is asked for again, whole.
class Cancelled : public Race {
 protected:
  void SetUp() override {
    Race::SetUp();
    if (IsSkipped()) return;
    if (is_containerd()) GTEST_SKIP() << "what it makes for a caller that left keeps the name";
  }
  static constexpr double kTooShort = 0.001;  // seconds
};

TEST_F(Cancelled, ARunOfAPodCanBeRepeated) {
  for (int i = 0; i < e2e::rounds(6); ++i) {
    v1::PodSandboxConfig config = pod_config();
    config.mutable_metadata()->set_attempt(static_cast<unsigned>(i));
    const auto first = ask_run_pod(config, kTooShort * (i + 1));
    EXPECT_TRUE(first.ok() || first.code() == grpc::DEADLINE_EXCEEDED) << first;
    const auto again = ask_run_pod(config);
    ASSERT_OK(again);
    EXPECT_EQ(v1::SANDBOX_READY, pod_status(again->pod_sandbox_id()).state());
    EXPECT_THAT(pods(), SizeIs(1));
    remove_pod(again->pod_sandbox_id());
  }
}

TEST_F(Cancelled, ACreationCanBeRepeated) {
  const std::string pod = run_pod();
  for (int i = 0; i < e2e::rounds(6); ++i) {
    const auto first = ask_create(pod, kTooShort * (i + 1));
    EXPECT_TRUE(first.ok() || first.code() == grpc::DEADLINE_EXCEEDED) << first;
    const auto again = ask_create(pod);
    ASSERT_OK(again);
    EXPECT_THAT(containers(), SizeIs(1));
    EXPECT_OK(start(again->container_id()));
    EXPECT_EQ("here", inside(again->container_id(), {"echo", "here"}));
    EXPECT_OK(remove(again->container_id()));
  }
}

TEST_F(Cancelled, AStartGoesOn) {
  const std::string pod = run_pod();
  for (int i = 0; i < e2e::rounds(6); ++i) {
    const std::string id = create(pod, container_config({"sleep", "1000"}));
    v1::StartContainerRequest request;
    request.set_container_id(id);
    (void)client().call(&Runtime::StartContainer, request, kTooShort * (i + 1));
    // A call that did not even arrive is what a kubelet repeats, too.
    const auto again = start(id);
    EXPECT_EQ(v1::CONTAINER_RUNNING, wait_for(id, v1::CONTAINER_RUNNING).state()) << again;
    EXPECT_OK(remove(id));
  }
}

class Repeated : public Race {
 protected:
  void SetUp() override {
    Race::SetUp();
    if (IsSkipped()) return;
    if (is_containerd()) GTEST_SKIP() << "a name that is being made is refused to a second caller";
  }
};

TEST_F(Repeated, CallsAtOnceMakeOnePodAndOneContainer) {
  const auto pods_made = at_once([] { return ask_run_pod(pod_config()); });
  for (const auto& reply : pods_made) ASSERT_OK(reply);
  const std::string pod = pods_made.front()->pod_sandbox_id();
  for (const auto& reply : pods_made) EXPECT_EQ(pod, reply->pod_sandbox_id());
  EXPECT_THAT(pods(), SizeIs(1));

  const auto created = at_once([&] { return ask_create(pod); });
  for (const auto& reply : created) ASSERT_OK(reply);
  const std::string id = created.front()->container_id();
  for (const auto& reply : created) EXPECT_EQ(id, reply->container_id());
  EXPECT_THAT(containers(), SizeIs(1));
}

TEST_F(Repeated, RemovalsAtOnceAreOne) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sleep", "1000"});
  for (const auto& reply : at_once([&] { return remove(id); })) EXPECT_OK(reply);
  EXPECT_THAT(containers(), IsEmpty());
  for (const auto& reply : at_once([&] { return ask_remove_pod(pod); })) EXPECT_OK(reply);
  EXPECT_THAT(pods(), IsEmpty());
}

}  // namespace
}  // namespace fermata::cri_test
