// Statistics of containers and pods, and metrics.
#include <algorithm>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Pair;
using testing::UnorderedElementsAre;

class Stats : public CriTest {
 protected:
  static v1::ContainerStats container_stats(const std::string& id) {
    v1::ContainerStatsRequest request;
    request.set_container_id(id);
    const auto reply = client().call(&Runtime::ContainerStats, request);
    EXPECT_OK(reply);
    return reply->stats();
  }
  static Reply<v1::PodSandboxStatsResponse> pod_stats(const std::string& id) {
    v1::PodSandboxStatsRequest request;
    request.set_pod_sandbox_id(id);
    return client().call(&Runtime::PodSandboxStats, request);
  }
  static std::set<std::string> listed(const v1::ContainerStatsFilter& filter) {
    v1::ListContainerStatsRequest request;
    *request.mutable_filter() = filter;
    const auto reply = client().call(&Runtime::ListContainerStats, request);
    EXPECT_OK(reply);
    std::set<std::string> ids;
    for (const v1::ContainerStats& each : reply->stats()) ids.insert(each.attributes().id());
    return ids;
  }
};

TEST_F(Stats, TellWhatAContainerUses) {
  const std::string id = run(
      run_pod(), {"sh", "-c", "dd if=/dev/zero of=/tmp/x bs=1M count=2 2>/dev/null; while :; do :; done"});
  // containerd measures file systems every ten seconds.
  EXPECT_TRUE(
      eventually([&] { return container_stats(id).writable_layer().used_bytes().value() > 2'000'000; }, 30));
  const v1::ContainerStats first = container_stats(id);
  EXPECT_EQ(id, first.attributes().id());
  EXPECT_EQ("main", first.attributes().metadata().name());
  EXPECT_THAT(first.attributes().labels(), UnorderedElementsAre(Pair("name", "main")));
  EXPECT_THAT(first.attributes().annotations(), UnorderedElementsAre(Pair("note", "about main")));
  EXPECT_GT(first.cpu().timestamp(), 0);
  EXPECT_GT(first.cpu().usage_core_nano_seconds().value(), 0U);
  EXPECT_GT(first.memory().working_set_bytes().value(), 0U);
  EXPECT_GT(first.writable_layer().inodes_used().value(), 0U);
  EXPECT_NE("", first.writable_layer().fs_id().mountpoint());
  EXPECT_TRUE(eventually([&] {
    return container_stats(id).cpu().usage_core_nano_seconds().value() >
           first.cpu().usage_core_nano_seconds().value();
  }));
}

TEST_F(Stats, AreListedByContainerPodAndLabels) {
  const std::string one_pod = run_pod(pod_config("one")), other_pod = run_pod(pod_config("other"));
  const std::string one = run(one_pod, container_config({"sleep", "1000"}, "one"));
  const std::string two = run(one_pod, container_config({"sleep", "1000"}, "two"));
  const std::string other = run(other_pod, container_config({"sleep", "1000"}, "other"));
  EXPECT_THAT(listed({}), UnorderedElementsAre(one, two, other));
  v1::ContainerStatsFilter filter;
  filter.set_pod_sandbox_id(one_pod);
  EXPECT_THAT(listed(filter), UnorderedElementsAre(one, two));
  (*filter.mutable_label_selector())["name"] = "two";
  EXPECT_THAT(listed(filter), ElementsAre(two));
  filter.Clear();
  filter.set_id(other);
  EXPECT_THAT(listed(filter), ElementsAre(other));
}

TEST_F(Stats, TellWhatAPodUses) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sh", "-c", "while :; do :; done"});
  const auto reply = pod_stats(pod);
  ASSERT_OK(reply);
  const v1::PodSandboxStats& stats = reply->stats();
  EXPECT_EQ(pod, stats.attributes().id());
  EXPECT_EQ("pod", stats.attributes().metadata().name());
  EXPECT_THAT(stats.attributes().labels(), Contains(Pair("of", "tests")));
  EXPECT_GT(stats.linux().cpu().usage_core_nano_seconds().value(), 0U);
  EXPECT_GT(stats.linux().memory().working_set_bytes().value(), 0U);
  EXPECT_EQ("eth0", stats.linux().network().default_interface().name());
  EXPECT_GT(stats.linux().process().process_count().value(), 0U);
  ASSERT_EQ(1, stats.linux().containers_size());
  EXPECT_EQ(id, stats.linux().containers(0).attributes().id());
}

TEST_F(Stats, OfPodsAreListedByIdAndLabels) {
  const std::string one = run_pod(pod_config("one")), two = run_pod(pod_config("two"));
  const auto listed_pods = [](const v1::PodSandboxStatsFilter& filter) {
    v1::ListPodSandboxStatsRequest request;
    *request.mutable_filter() = filter;
    const auto reply = client().call(&Runtime::ListPodSandboxStats, request);
    EXPECT_OK(reply);
    std::set<std::string> ids;
    for (const v1::PodSandboxStats& each : reply->stats()) ids.insert(each.attributes().id());
    return ids;
  };
  EXPECT_THAT(listed_pods({}), UnorderedElementsAre(one, two));
  v1::PodSandboxStatsFilter filter;
  (*filter.mutable_label_selector())["name"] = "two";
  EXPECT_THAT(listed_pods(filter), ElementsAre(two));
  filter.Clear();
  filter.set_id(one);
  EXPECT_THAT(listed_pods(filter), ElementsAre(one));
}

TEST_F(Stats, AsStreamsAreTheSame) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sleep", "1000"});
  const auto streamed = client().collect(&Runtime::StreamContainerStats, v1::StreamContainerStatsRequest());
  if (too_old_for(streamed)) GTEST_SKIP() << "this containerd has no streamed lists";
  ASSERT_OK(streamed);
  std::vector<std::string> ids;
  for (const auto& part : *streamed)
    for (const auto& each : part.container_stats()) ids.push_back(each.attributes().id());
  EXPECT_THAT(ids, ElementsAre(id));
  const auto pods = client().collect(&Runtime::StreamPodSandboxStats, v1::StreamPodSandboxStatsRequest());
  ASSERT_OK(pods);
  ids.clear();
  for (const auto& part : *pods)
    for (const auto& each : part.pod_sandbox_stats()) ids.push_back(each.attributes().id());
  EXPECT_THAT(ids, ElementsAre(pod));
}

TEST_F(Stats, MetricsHaveDescriptionsWithTheirLabels) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sleep", "1000"});
  const auto described = client().call(&Runtime::ListMetricDescriptors, v1::ListMetricDescriptorsRequest());
  if (too_old_for(described)) GTEST_SKIP() << "this containerd has no metrics";
  ASSERT_OK(described);
  std::map<std::string, int> labels;
  for (const v1::MetricDescriptor& each : described->descriptors())
    labels[each.name()] = each.label_keys_size();
  const auto reply = client().call(&Runtime::ListPodSandboxMetrics, v1::ListPodSandboxMetricsRequest());
  ASSERT_OK(reply);
  ASSERT_EQ(1, reply->pod_metrics_size());
  const v1::PodSandboxMetrics& metrics = reply->pod_metrics(0);
  EXPECT_EQ(pod, metrics.pod_sandbox_id());
  ASSERT_EQ(1, metrics.container_metrics_size());
  EXPECT_EQ(id, metrics.container_metrics(0).container_id());
  std::set<std::string> names;
  const auto check = [&](const v1::Metric& metric) {
    names.insert(metric.name());
    ASSERT_TRUE(labels.contains(metric.name())) << metric.name();
    EXPECT_EQ(labels[metric.name()], metric.label_values_size()) << metric.name();
  };
  for (const v1::Metric& metric : metrics.metrics()) check(metric);
  for (const v1::Metric& metric : metrics.container_metrics(0).metrics()) check(metric);
  EXPECT_THAT(names, IsSupersetOf({"container_cpu_usage_seconds_total", "container_memory_working_set_bytes",
                                   "container_network_receive_bytes_total", "container_processes"}));
}

// A kubelet ended in a panic over a network that had no default interface.
TEST_F(Stats, OfAPodOnTheHostsNetworkNameNoNetworkWithoutAnInterface) {
  v1::PodSandboxConfig config = pod_config();
  config.clear_hostname();
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(v1::NODE);
  const auto reply = pod_stats(run_pod(config));
  ASSERT_OK(reply);
  const v1::LinuxPodSandboxStats& stats = reply->stats().linux();
  EXPECT_EQ(stats.has_network(), stats.network().has_default_interface());
}

}  // namespace
}  // namespace fermata::cri_test
