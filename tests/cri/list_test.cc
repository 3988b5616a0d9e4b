// Lists and their filters, in one answer and as a stream.
#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Lists : public CriTest {
 protected:
  void SetUp() override {
    CriTest::SetUp();
    if (IsSkipped()) return;
    ready_ = run_pod(pod_config("ready"));
    stopped_ = run_pod(pod_config("stopped"));
    running_ = run(ready_, container_config({"sleep", "1000"}, "running"));
    created_ = create(ready_, container_config({"sleep", "1000"}, "created"));
    exited_ = run(stopped_, container_config({"sleep", "1000"}, "exited"));
    stop_pod(stopped_);
  }
  static std::set<std::string> pods_with(const v1::PodSandboxFilter& filter) { return ids_of(pods(filter)); }
  static std::set<std::string> containers_with(const v1::ContainerFilter& filter) {
    return ids_of(containers(filter));
  }

  std::string ready_, stopped_, running_, created_, exited_;
};

TEST_F(Lists, OfPodsByStateIdAndLabels) {
  EXPECT_THAT(pods_with({}), UnorderedElementsAre(ready_, stopped_));
  v1::PodSandboxFilter filter;
  filter.mutable_state()->set_state(v1::SANDBOX_READY);
  EXPECT_THAT(pods_with(filter), ElementsAre(ready_));
  filter.mutable_state()->set_state(v1::SANDBOX_NOTREADY);
  EXPECT_THAT(pods_with(filter), ElementsAre(stopped_));
  filter.set_id(ready_);
  EXPECT_THAT(pods_with(filter), IsEmpty()) << "all conditions count";
  filter.clear_state();
  EXPECT_THAT(pods_with(filter), ElementsAre(ready_));
  filter.set_id("nosuchid");
  EXPECT_THAT(pods_with(filter), IsEmpty());
}

TEST_F(Lists, OfPodsByLabels) {
  v1::PodSandboxFilter filter;
  (*filter.mutable_label_selector())["of"] = "tests";
  EXPECT_THAT(pods_with(filter), UnorderedElementsAre(ready_, stopped_));
  (*filter.mutable_label_selector())["name"] = "ready";
  EXPECT_THAT(pods_with(filter), ElementsAre(ready_));
  (*filter.mutable_label_selector())["no"] = "such";
  EXPECT_THAT(pods_with(filter), IsEmpty());
}

TEST_F(Lists, OfPodsShowWhatTheStatusShows) {
  for (const v1::PodSandbox& pod : pods()) {
    const v1::PodSandboxStatus status = pod_status(pod.id());
    EXPECT_EQ(status.metadata().DebugString(), pod.metadata().DebugString());
    EXPECT_EQ(status.state(), pod.state());
    EXPECT_EQ(status.created_at(), pod.created_at());
    EXPECT_EQ(status.labels().at("name"), pod.labels().at("name"));
    EXPECT_EQ(status.annotations().at("note"), pod.annotations().at("note"));
  }
}

TEST_F(Lists, OfContainersByState) {
  EXPECT_THAT(containers_with({}), UnorderedElementsAre(running_, created_, exited_));
  v1::ContainerFilter filter;
  filter.mutable_state()->set_state(v1::CONTAINER_RUNNING);
  EXPECT_THAT(containers_with(filter), ElementsAre(running_));
  filter.mutable_state()->set_state(v1::CONTAINER_CREATED);
  EXPECT_THAT(containers_with(filter), ElementsAre(created_));
  filter.mutable_state()->set_state(v1::CONTAINER_EXITED);
  EXPECT_THAT(containers_with(filter), ElementsAre(exited_));
}

TEST_F(Lists, OfContainersByPodIdAndLabels) {
  v1::ContainerFilter filter;
  filter.set_pod_sandbox_id(ready_);
  EXPECT_THAT(containers_with(filter), UnorderedElementsAre(running_, created_));
  (*filter.mutable_label_selector())["name"] = "created";
  EXPECT_THAT(containers_with(filter), ElementsAre(created_));
  filter.set_id(running_);
  EXPECT_THAT(containers_with(filter), IsEmpty()) << "all conditions count";
  filter.clear_label_selector();
  EXPECT_THAT(containers_with(filter), ElementsAre(running_));
  filter.set_id("nosuchid");
  EXPECT_THAT(containers_with(filter), IsEmpty());
}

TEST_F(Lists, OfContainersShowWhatTheStatusShows) {
  for (const v1::Container& container : containers()) {
    const v1::ContainerStatus at = status(container.id());
    EXPECT_EQ(at.metadata().DebugString(), container.metadata().DebugString());
    EXPECT_EQ(at.state(), container.state());
    EXPECT_EQ(at.created_at(), container.created_at());
    EXPECT_NE("", container.image_ref());
    EXPECT_EQ(at.image().image(), container.image().image());
    EXPECT_EQ(container.id() == exited_ ? stopped_ : ready_, container.pod_sandbox_id());
    EXPECT_EQ(at.labels().at("name"), container.labels().at("name"));
    EXPECT_EQ(at.annotations().at("note"), container.annotations().at("note"));
  }
}

TEST_F(Lists, AsStreamsAreTheSame) {
  const auto streamed_pods = client().collect(&Runtime::StreamPodSandboxes, v1::StreamPodSandboxesRequest());
  if (too_old_for(streamed_pods)) GTEST_SKIP() << "this containerd has no streamed lists";
  ASSERT_OK(streamed_pods);
  std::vector<v1::PodSandbox> all_pods;
  for (const auto& part : *streamed_pods)
    all_pods.insert(all_pods.end(), part.pod_sandboxes().begin(), part.pod_sandboxes().end());
  EXPECT_EQ(2U, all_pods.size()) << "none twice";
  EXPECT_EQ(ids_of(pods()), ids_of(all_pods));

  v1::StreamContainersRequest request;
  request.mutable_filter()->set_pod_sandbox_id(ready_);
  const auto streamed = client().collect(&Runtime::StreamContainers, request);
  ASSERT_OK(streamed);
  std::vector<v1::Container> all;
  for (const auto& part : *streamed)
    all.insert(all.end(), part.containers().begin(), part.containers().end());
  EXPECT_THAT(ids_of(all), UnorderedElementsAre(running_, created_));
}

}  // namespace
}  // namespace fermata::cri_test
