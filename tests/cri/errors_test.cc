// What a kubelet asks again, or asks of what is gone: which of it is an error, and by which code.
#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::IsEmpty;

const std::string kNobody = std::string(64, 'f');

class Errors : public CriTest {
 protected:
  template <typename Request, typename Response>
  static grpc::StatusCode code_for_container(grpc::Status (Runtime::*method)(grpc::ClientContext*,
                                                                             const Request&, Response*),
                                             const std::string& id = kNobody) {
    Request request;
    request.set_container_id(id);
    return client().call(method, request).code();
  }
};

TEST_F(Errors, PodsAreStoppedAndRemovedAsOftenAsOneLikes) {
  const std::string id = run_pod();
  for (int i = 0; i < 3; ++i) EXPECT_OK(ask_stop_pod(id));
  for (int i = 0; i < 3; ++i) EXPECT_OK(ask_remove_pod(id));
  EXPECT_OK(ask_remove_pod(kNobody));
}

TEST_F(Errors, ContainersAreStoppedAndRemovedAsOftenAsOneLikes) {
  const std::string id = run(run_pod(), {"sleep", "1000"});
  for (int i = 0; i < 3; ++i) EXPECT_OK(stop(id));
  for (int i = 0; i < 3; ++i) EXPECT_OK(remove(id));
  EXPECT_OK(remove(kNobody));
}

TEST_F(Errors, WhatIsGoneHasStopped) {
  const auto reply = ask_stop_pod(kNobody);
  if (is_containerd() && reply.code() == grpc::NOT_FOUND) GTEST_SKIP() << "this containerd calls it an error";
  EXPECT_OK(reply);
  EXPECT_OK(stop(kNobody));
  const std::string pod = run_pod();
  const std::string id = run(pod, {"true"});
  EXPECT_OK(ask_remove_pod(pod));
  EXPECT_OK(ask_stop_pod(pod));
  EXPECT_OK(stop(id));
}

TEST_F(Errors, StoppingWhatHasNotStarted) {
  const std::string id = create(run_pod(), container_config({"true"}));
  EXPECT_OK(stop(id));
  EXPECT_OK(remove(id));
}

TEST_F(Errors, WhatIsGoneIsNotFound) {
  v1::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id(kNobody);
  EXPECT_EQ(grpc::NOT_FOUND, client().call(&Runtime::PodSandboxStatus, request).code());
  EXPECT_EQ(grpc::NOT_FOUND, code_for_container(&Runtime::ContainerStatus));
  EXPECT_EQ(grpc::NOT_FOUND, code_for_container(&Runtime::StartContainer));
  EXPECT_EQ(grpc::NOT_FOUND, code_for_container(&Runtime::ReopenContainerLog));
  EXPECT_EQ(grpc::NOT_FOUND, code_for_container(&Runtime::ContainerStats));
  EXPECT_EQ(grpc::NOT_FOUND, exec(kNobody, {"true"}).code());
  EXPECT_EQ(grpc::NOT_FOUND, code_for_container(&Runtime::UpdateContainerResources));

  const std::string id = run(run_pod(), {"true"});
  EXPECT_OK(remove(id));
  EXPECT_EQ(grpc::NOT_FOUND, code_for_container(&Runtime::ContainerStatus, id));
}

TEST_F(Errors, AContainerNeedsItsPodAndItsImage) {
  EXPECT_EQ(grpc::NOT_FOUND, try_create(kNobody, container_config({"true"})).code());
  const std::string pod = run_pod();
  v1::ContainerConfig config = container_config({"true"});
  config.mutable_image()->set_image(registry() + "/nobody:1");
  EXPECT_EQ(grpc::NOT_FOUND, try_create(pod, config).code());
  EXPECT_THAT(containers(), IsEmpty()) << "nothing half made";
}

TEST_F(Errors, AConfigurationThatCannotBe) {
  const std::string pod = run_pod();
  v1::ContainerConfig nameless = container_config({"true"});
  nameless.clear_metadata();
  EXPECT_FALSE(try_create(pod, nameless).ok());
  v1::ContainerConfig unnamed = container_config({"true"});
  unnamed.mutable_linux()->mutable_security_context()->set_run_as_username("nobody-has-this-name");
  const auto reply = try_create(pod, unnamed);
  EXPECT_FALSE(reply.ok() && start(reply->container_id()).ok());
  EXPECT_FALSE(client().call(&Runtime::RunPodSandbox, v1::RunPodSandboxRequest()).ok());
}

TEST_F(Errors, AFailedCreationCanBeTriedAgain) {
  const std::string pod = run_pod();
  v1::ContainerConfig config = container_config({"echo", "second try"});
  config.mutable_image()->set_image(registry() + "/nobody:1");
  EXPECT_FALSE(try_create(pod, config).ok());
  config.mutable_image()->set_image(image());
  EXPECT_EQ("second try", output(pod, config)) << "the name is free again";
}

}  // namespace
}  // namespace fermata::cri_test
