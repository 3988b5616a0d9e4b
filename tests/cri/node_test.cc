// What a node is asked about itself: version, readiness, the cgroup driver, features.
#include <unistd.h>

#include <algorithm>

#include "cri/fixture.h"
#include "e2e/support/snapshot.h"

namespace fermata::cri_test {
namespace {

using testing::IsEmpty;
using testing::Not;

class Node : public CriTest {
 protected:
  // The built-in network again.
  void TearDown() override {
    e2e::run_program({"rm", "-f", configuration()});
    CriTest::TearDown();
  }
  static std::string configuration() { return scratch("d/cni/10-ranges.conflist"); }
  static Reply<v1::UpdateRuntimeConfigResponse> tell_pod_cidr(const std::string& cidr) {
    v1::UpdateRuntimeConfigRequest request;
    request.mutable_runtime_config()->mutable_network_config()->set_pod_cidr(cidr);
    return client().call(&Runtime::UpdateRuntimeConfig, request);
  }
  static std::vector<std::string> addresses(const std::string& pod) {
    const v1::PodSandboxNetworkStatus network = pod_status(pod).network();
    std::vector<std::string> all{network.ip()};
    for (const v1::PodIP& more : network.additional_ips()) all.push_back(more.ip());
    return all;
  }
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
  EXPECT_OK(tell_pod_cidr("10.215.0.0/24"));
  EXPECT_OK(client().call(&Runtime::UpdateRuntimeConfig, v1::UpdateRuntimeConfigRequest()));
}

TEST_F(Node, RefusesAPodNetworkThatIsNone) {
  if (is_containerd()) GTEST_SKIP() << "it looks at them only with a template";
  EXPECT_OK(tell_pod_cidr("10.215.0.0/24"));
  for (const char* bad : {"10.215.0.0", "10.215.0.0/24,pods", "10.215.0.0/24,10.216.0.0/24"}) {
    const auto reply = tell_pod_cidr(bad);
    EXPECT_EQ(grpc::INVALID_ARGUMENT, reply.code()) << bad;
    const std::string last = std::string(bad).substr(std::string(bad).rfind(',') + 1);
    EXPECT_THAT(reply.error(), testing::HasSubstr("'" + last + "'"));
  }
  const auto status = node_status(true);
  ASSERT_OK(status);
  EXPECT_EQ("\"10.215.0.0/24\"", status->info().at("podCIDR"));
}

TEST_F(Node, GivesPodsAddressesOfItsPodNetwork) {
  if (is_containerd()) GTEST_SKIP() << "its plugins have their own";
  const auto of_the_node =
      testing::ElementsAre(testing::StartsWith("10.215.1."), testing::StartsWith("fd00:215:1::"));
  EXPECT_OK(tell_pod_cidr("10.215.1.0/24,fd00:215:1::/64"));
  const std::string first = run_pod();
  EXPECT_THAT(addresses(first), of_the_node);
  daemon().kill();
  daemon().start();
  EXPECT_THAT(addresses(first), of_the_node);
  remove_pod(first);
  EXPECT_THAT(addresses(run_pod()), of_the_node);
}

TEST_F(Node, TakesTheBridgeAwayAfterTheLastPod) {
  if (is_containerd()) GTEST_SKIP() << "its bridge stays";
  // The tests have a network namespace of their own, and this daemon's bridge in it.
  const auto stands = [] {
    const auto links = e2e::host_links();
    return std::any_of(links.begin(), links.end(),
                       [](const std::string& link) { return link.starts_with("fermata-"); });
  };
  const std::string pod = run_pod();
  EXPECT_TRUE(stands());
  remove_pod(pod);
  EXPECT_TRUE(eventually([&] { return !stands(); }));
}

// A list without addresses of its own, whose plugin asks for those of the node.
TEST_F(Node, GivesPluginsItsPodNetwork) {
  if (is_containerd()) GTEST_SKIP() << "it has no ipRanges";
  if (::access("/usr/lib/cni/ptp", X_OK) != 0) GTEST_SKIP() << "needs containernetworking-plugins";
  const auto of_the_node =
      testing::ElementsAre(testing::StartsWith("10.215.2."), testing::StartsWith("fd00:215:2::"));
  EXPECT_OK(tell_pod_cidr("10.215.2.0/24,fd00:215:2::/64"));
  e2e::spill(configuration(),
             R"({"cniVersion": "1.0.0", "name": "ranges", "plugins": [
                  {"type": "ptp", "capabilities": {"ipRanges": true},
                   "ipam": {"type": "host-local", "dataDir": ")" +
                 scratch("d/addresses") + R"("}}]})");
  const std::string first = run_pod();
  EXPECT_THAT(addresses(first), of_the_node);
  EXPECT_OK(tell_pod_cidr("10.215.3.0/24"));
  daemon().kill();
  daemon().start();
  const std::string second = run_pod(pod_config("second"));
  EXPECT_THAT(addresses(second), testing::ElementsAre(testing::StartsWith("10.215.3.")));
  EXPECT_THAT(addresses(first), of_the_node) << "as it was attached";
}

}  // namespace
}  // namespace fermata::cri_test
