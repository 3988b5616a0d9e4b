// What a node is asked about itself: version, readiness, the cgroup driver, features.
#include <algorithm>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::IsEmpty;
using testing::Not;

class Node : public CriTest {
 protected:
  static Reply<v1::StatusResponse> node_status(bool verbose = false) {
    v1::StatusRequest request;
    request.set_verbose(verbose);
    return client().call(&Runtime::Status, request);
  }
};

TEST_F(Node, TellsItsVersion) {
  v1::VersionRequest request;
  request.set_version("0.1.0");
  const auto reply = client().call(&Runtime::Version, request);
  ASSERT_OK(reply);
  EXPECT_EQ("0.1.0", reply->version()) << "of kubelet's side of the protocol";
  EXPECT_EQ("v1", reply->runtime_api_version());
  EXPECT_EQ(is_containerd() ? "containerd" : "fermata", reply->runtime_name());
  EXPECT_NE("", reply->runtime_version());
}

TEST_F(Node, IsReady) {
  const auto reply = node_status();
  ASSERT_OK(reply);
  std::set<std::string> ready;
  for (const v1::RuntimeCondition& condition : reply->status().conditions())
    if (condition.status()) ready.insert(condition.type());
  EXPECT_THAT(ready, testing::IsSupersetOf({"RuntimeReady", "NetworkReady"}));
  EXPECT_TRUE(reply->info().empty()) << "it was not asked for";
}

TEST_F(Node, TellsMoreWhenAsked) {
  const auto reply = node_status(true);
  ASSERT_OK(reply);
  EXPECT_FALSE(reply->info().empty());
}

TEST_F(Node, NamesItsRuntimeHandlers) {
  const auto reply = node_status();
  ASSERT_OK(reply);
  if (is_containerd() && reply->runtime_handlers().empty()) GTEST_SKIP() << "this containerd names none";
  const auto& handlers = reply->runtime_handlers();
  EXPECT_TRUE(std::any_of(handlers.begin(), handlers.end(), [](const v1::RuntimeHandler& handler) {
    return handler.name().empty();
  })) << "the default one";
}

TEST_F(Node, NamesItsCgroupDriver) {
  const auto reply = client().call(&Runtime::RuntimeConfig, v1::RuntimeConfigRequest());
  if (too_old_for(reply)) GTEST_SKIP() << "this containerd has no RuntimeConfig";
  ASSERT_OK(reply);
  EXPECT_EQ(v1::CGROUPFS, reply->linux().cgroup_driver());
}

TEST_F(Node, TakesThePodNetworkOfAKubelet) {
  v1::UpdateRuntimeConfigRequest request;
  request.mutable_runtime_config()->mutable_network_config()->set_pod_cidr("10.215.0.0/24");
  EXPECT_OK(client().call(&Runtime::UpdateRuntimeConfig, request));
  EXPECT_OK(client().call(&Runtime::UpdateRuntimeConfig, v1::UpdateRuntimeConfigRequest()));
}

}  // namespace
}  // namespace fermata::cri_test
