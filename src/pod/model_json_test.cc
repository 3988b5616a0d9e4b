#include "pod/model_json.h"

#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

TEST(ModelJson, ContainerConfigSurvivesARoundTrip) {
  ContainerConfig config;
  config.name = "web";
  config.entrypoint = std::vector<std::string>{""};
  config.env = {"A=1", "B="};
  config.expose = {"90/tcp"};
  config.ports = {
      {.host_ip = "::1", .host_port = 8080, .container_port = 80, .protocol = "udp", .host_port_end = 8090}};
  config.mounts = {{.kind = VolumeMount::Kind::tmpfs, .destination = "/run", .options = "size=64m"}};
  config.net = {"container", "abc"};
  config.ulimits = {{"nofile", 1024, ~0ull}};
  config.labels = {{"a", "b"}, {"", "empty"}};
  config.stop_timeout = -1;
  config.resources.cpus = 1.5;
  config.resources.pids_limit = -1;
  config.log_max_size = 0;  // differs from the default
  const auto again = container_config_from_json(to_json(config));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->name, "web");
  EXPECT_EQ(again->entrypoint, config.entrypoint);
  EXPECT_EQ(again->env, config.env);
  EXPECT_EQ(again->ports, config.ports);
  EXPECT_EQ(again->expose, config.expose);
  ASSERT_EQ(again->mounts.size(), 1u);
  EXPECT_EQ(again->mounts[0].kind, VolumeMount::Kind::tmpfs);
  EXPECT_EQ(again->mounts[0].options, "size=64m");
  EXPECT_EQ(again->net.kind, "container");
  EXPECT_EQ(again->ulimits[0].hard, ~0ull);
  EXPECT_EQ(again->labels, config.labels);
  EXPECT_EQ(again->stop_timeout, -1);
  EXPECT_EQ(again->resources.cpus, 1.5);
  EXPECT_EQ(again->resources.pids_limit, -1);
  EXPECT_EQ(again->log_max_size, 0u);
  EXPECT_FALSE(again->shm_size);
  EXPECT_EQ(again->log_driver, "cri");
}

TEST(ModelJson, DefaultsAreLeftOut) { EXPECT_EQ(to_json(ContainerConfig{}), "{}"); }

TEST(ModelJson, RuntimeSurvivesARoundTrip) {
  ContainerRuntime runtime;
  runtime.exit_code = 137;
  runtime.oom_killed = true;
  runtime.started = 1234567890123456789;
  runtime.resolved.layers = {"a", "b"};
  runtime.mounts = {{"/host", {.destination = "/in"}}};
  runtime.user = {.uid = 1, .gid = 2, .umask = 022, .additional_gids = {3, 4}};
  const auto again = container_runtime_from_json(to_json(runtime));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->exit_code, 137);
  EXPECT_TRUE(again->oom_killed);
  EXPECT_EQ(again->started, runtime.started);
  EXPECT_EQ(again->resolved.layers, runtime.resolved.layers);
  EXPECT_EQ(again->mounts.at(0).first, "/host");
  EXPECT_EQ(again->user.umask, 022u);
  EXPECT_EQ(again->user.additional_gids, runtime.user.additional_gids);
}

TEST(ModelJson, PodSurvivesARoundTrip) {
  PodRuntime runtime;
  runtime.network = network::Attachment{.host_interface = "veth1", .ipv4 = "10.88.0.5", .ipv6_prefix = 48};
  const auto again = pod_runtime_from_json(to_json(runtime));
  ASSERT_TRUE(again);
  ASSERT_TRUE(again->network);
  EXPECT_EQ(again->network->ipv4, "10.88.0.5");
  EXPECT_EQ(again->network->ipv4_prefix, 16);
  EXPECT_EQ(again->network->ipv6_prefix, 48);
  const auto config = pod_config_from_json(to_json(PodConfig{.net = "none", .infra = "x"}));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->net, "none");
  EXPECT_EQ(config->infra, "x");
  EXPECT_EQ(config->shm_size, 64u << 20);
}

TEST(ModelJson, DamageIsAnError) {
  EXPECT_FALSE(container_config_from_json("nonsense"));
  EXPECT_FALSE(container_config_from_json("[]"));
  EXPECT_FALSE(container_config_from_json(R"({"env": 5, "name": {}})"));
  EXPECT_TRUE(container_config_from_json(R"({"of the future": 5})"));
}

}  // namespace
}  // namespace fermata::pod
