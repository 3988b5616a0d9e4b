#include "cri/statuses.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

pod::ContainerInfo container(pod::ContainerState state) {
  pod::ContainerInfo info;
  info.id = "c0ffee";
  info.pod_id = "f00d";
  info.image_id = "sha256:1";
  info.state = state;
  info.created = 1;
  info.started = 2;
  info.finished = 3;
  info.stop_signal = "SIGTERM";
  return info;
}

v1::ContainerStatus status(const pod::ContainerInfo& info) { return status_of(info, {}); }

TEST(ContainerStatus, ReasonsOfAnEnd) {
  auto info = container(pod::ContainerState::exited);
  EXPECT_EQ(status(info).reason(), "Completed");
  info.exit_code = 137;
  EXPECT_EQ(status(info).reason(), "Error");
  info.oom_killed = true;
  EXPECT_EQ(status(info).reason(), "OOMKilled");
  EXPECT_EQ(status(info).exit_code(), 137);
  info.oom_killed = false;
  info.error = "MonitorLost";
  EXPECT_EQ(status(info).reason(), "MonitorLost");
}

TEST(ContainerStatus, AFailedStart) {
  auto info = container(pod::ContainerState::exited);
  info.exit_code = 128;
  info.error = "no such file";
  const auto told = status(info);
  EXPECT_EQ(told.state(), v1::CONTAINER_EXITED);
  EXPECT_EQ(told.reason(), "StartError");
  EXPECT_EQ(told.message(), "no such file");
  EXPECT_EQ(told.exit_code(), 128);
  EXPECT_EQ(told.started_at(), 0);
  EXPECT_EQ(told.finished_at(), 3);
  EXPECT_FALSE(told.has_user());
}

TEST(ContainerStatus, WhileItRuns) {
  auto info = container(pod::ContainerState::running);
  info.finished = 0;
  info.user = {.uid = 1000, .gid = 1000, .umask = {}, .additional_gids = {50000, 1234}};
  auto told = status_of(info, {});
  put_image_names({.tag = "docker.io/library/a:1", .digest = "docker.io/library/a@sha256:2"}, told);
  EXPECT_EQ(told.state(), v1::CONTAINER_RUNNING);
  EXPECT_EQ(told.started_at(), 2);
  EXPECT_EQ(told.finished_at(), 0);
  EXPECT_EQ(told.image().image(), "docker.io/library/a:1");
  EXPECT_EQ(told.image_ref(), "docker.io/library/a@sha256:2");
  EXPECT_EQ(told.image_id(), "sha256:1");
  const auto& groups = told.user().linux().supplemental_groups();
  EXPECT_EQ(std::vector<std::int64_t>(groups.begin(), groups.end()),
            (std::vector<std::int64_t>{1000, 1234, 50000}));
  EXPECT_EQ(told.stop_signal(), v1::SIG_TERM);
}

TEST(ContainerStatus, AMountedImageIsNamedByItsId) {
  v1::CreateContainerRequest request;
  request.mutable_config()->add_mounts()->mutable_image()->set_image("busybox");
  auto info = container(pod::ContainerState::created);
  info.config.mounts.push_back({.kind = pod::VolumeMount::Kind::image, .source = "sha256:2"});
  const auto told = status_of(info, request);
  EXPECT_EQ(told.mounts(0).image().image(), "busybox");
  EXPECT_EQ(told.mounts(0).image().image_ref(), "sha256:2");
}

// What lists and statuses share is kept once.
TEST(ContainerStatus, IsAnEntryAndTheRest) {
  v1::CreateContainerRequest request;
  auto& config = *request.mutable_config();
  config.mutable_metadata()->set_name("web");
  config.mutable_image()->set_image("busybox");
  config.mutable_image()->set_user_specified_image("docker.io/library/busybox");
  (*config.mutable_labels())["a"] = "b";
  (*config.mutable_annotations())["c"] = "d";
  const auto info = container(pod::ContainerState::running);
  const auto whole = status_of(info, request);
  const auto rest = without_entry(whole);
  EXPECT_LT(rest.ByteSizeLong(), whole.ByteSizeLong());
  EXPECT_EQ(with_entry(rest, entry_of(info, request)).SerializeAsString(), whole.SerializeAsString());
}

TEST(PodStatus, IsAnEntryAndTheRest) {
  v1::RunPodSandboxRequest request;
  request.set_runtime_handler("runc");
  auto& config = *request.mutable_config();
  config.mutable_metadata()->set_name("web");
  (*config.mutable_labels())["a"] = "b";
  (*config.mutable_annotations())["c"] = "d";
  pod::PodInfo pod;
  pod.id = "0123";
  pod.ready = true;
  const auto whole = status_of(pod, request);
  const auto rest = without_entry(whole);
  EXPECT_LT(rest.ByteSizeLong(), whole.ByteSizeLong());
  EXPECT_EQ(with_entry(rest, entry_of(pod, request)).SerializeAsString(), whole.SerializeAsString());
}

TEST(PodStatus, Addresses) {
  pod::PodInfo pod;
  EXPECT_EQ(status_of(pod, {}).state(), v1::SANDBOX_NOTREADY);
  pod.ready = true;
  EXPECT_EQ(status_of(pod, {}).network().ip(), "");
  pod.network.emplace();
  pod.network->ipv4 = "10.1.0.2";
  pod.network->ipv6 = "fd00::2";
  const auto told = status_of(pod, {});
  EXPECT_EQ(told.state(), v1::SANDBOX_READY);
  EXPECT_EQ(told.network().ip(), "10.1.0.2");
  ASSERT_EQ(told.network().additional_ips_size(), 1);
  EXPECT_EQ(told.network().additional_ips(0).ip(), "fd00::2");
  pod.network->ipv4.clear();
  EXPECT_EQ(status_of(pod, {}).network().ip(), "fd00::2");
}

TEST(Filters, CombineWithAnd) {
  v1::CreateContainerRequest request;
  (*request.mutable_config()->mutable_labels())["app"] = "web";
  const auto entry = entry_of(container(pod::ContainerState::running), request);
  v1::ContainerFilter filter;
  EXPECT_TRUE(matches(filter, entry));
  filter.set_id("c0f");
  filter.set_pod_sandbox_id("f0");
  (*filter.mutable_label_selector())["app"] = "web";
  filter.mutable_state()->set_state(v1::CONTAINER_RUNNING);
  EXPECT_TRUE(matches(filter, entry));
  filter.mutable_state()->set_state(v1::CONTAINER_CREATED);
  EXPECT_FALSE(matches(filter, entry));
  filter.clear_state();
  (*filter.mutable_label_selector())["app"] = "db";
  EXPECT_FALSE(matches(filter, entry));
  filter.clear_label_selector();
  filter.set_id("c0ffeeee");
  EXPECT_FALSE(matches(filter, entry));
}

TEST(Details, AreJson) {
  v1::CreateContainerRequest request;
  request.mutable_config()->mutable_metadata()->set_name("nginx");
  const auto text = details_of(container(pod::ContainerState::running), request);
  EXPECT_NE(text.find("\"sandboxID\":\"f00d\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"name\":\"nginx\""), std::string::npos) << text;
}

}  // namespace
}  // namespace fermata::cri
