#include "cri/sandbox_config.h"

#include <gtest/gtest.h>

#include "cri/keepsake.h"

namespace fermata::cri {
namespace {

const ReadProfile kNoProfiles = [](const std::string& path) -> Result<std::string> {
  return fail(ENOENT, "open '{}'", path);
};

v1::RunPodSandboxRequest request() {
  v1::RunPodSandboxRequest made;
  auto* metadata = made.mutable_config()->mutable_metadata();
  metadata->set_name("web");
  metadata->set_namespace_("shop");
  metadata->set_uid("0a1b");
  return made;
}

v1::NamespaceOption& namespaces(v1::RunPodSandboxRequest& request) {
  return *request.mutable_config()->mutable_linux()->mutable_security_context()->mutable_namespace_options();
}

Result<pod::ContainerConfig> plan(const v1::RunPodSandboxRequest& request) {
  return plan_sandbox(request, "", kNoProfiles);
}

TEST(SandboxConfig, ThePlainestPod) {
  const auto config = plan(request());
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->infra);
  EXPECT_EQ(config->name, "k8s_POD_web_shop_0a1b_0");
  EXPECT_EQ(config->image, "");
  EXPECT_EQ(config->net.kind, "bridge");
  EXPECT_EQ(config->ipc.kind, "shareable");
  EXPECT_EQ(config->pid.kind, "");
  EXPECT_EQ(config->uts.kind, "");
  EXPECT_EQ(config->user, "");
  EXPECT_FALSE(config->user_namespace);
  EXPECT_TRUE(config->security_opt.empty());
}

TEST(SandboxConfig, TheRequestComesBack) {
  auto asked = request();
  asked.set_runtime_handler("fermata");
  (*asked.mutable_config()->mutable_annotations())["a"] = "b";
  pod::ContainerInfo infra;
  infra.config = *plan(asked);
  EXPECT_EQ(sandbox_request(infra)->SerializeAsString(), asked.SerializeAsString());
  infra.config.attachment.clear();
  EXPECT_FALSE(sandbox_request(infra));
}

TEST(SandboxConfig, TheHostsNamespaces) {
  auto asked = request();
  namespaces(asked).set_network(v1::NODE);
  namespaces(asked).set_ipc(v1::NODE);
  namespaces(asked).set_pid(v1::NODE);
  asked.mutable_config()->add_port_mappings()->set_host_port(80);
  auto config = plan(asked);
  EXPECT_EQ(config->net.kind, "host");
  EXPECT_EQ(config->ipc.kind, "host");
  EXPECT_EQ(config->pid.kind, "host");
  EXPECT_EQ(config->uts.kind, "host");
  EXPECT_TRUE(config->ports.empty());
  asked.mutable_config()->set_hostname("web");
  EXPECT_EQ(plan(asked)->uts.kind, "");
}

TEST(SandboxConfig, NamespacesThatAPodCannotHave) {
  for (const auto mode : {v1::CONTAINER, v1::TARGET}) {
    auto network = request(), ipc = request(), users = request();
    namespaces(network).set_network(mode);
    namespaces(ipc).set_ipc(mode);
    namespaces(users).mutable_userns_options()->set_mode(mode);
    for (const auto& asked : {network, ipc, users})
      EXPECT_EQ(plan(asked).error().kind(), ErrorKind::invalid_argument);
  }
  auto pid = request();
  namespaces(pid).set_pid(v1::TARGET);
  EXPECT_FALSE(plan(pid));
  namespaces(pid).set_pid(v1::CONTAINER);
  EXPECT_EQ(plan(pid)->pid.kind, "");
}

TEST(SandboxConfig, Ports) {
  auto asked = request();
  auto* hidden = asked.mutable_config()->add_port_mappings();
  hidden->set_container_port(80);
  auto* open = asked.mutable_config()->add_port_mappings();
  open->set_container_port(53);
  open->set_host_port(5353);
  open->set_protocol(v1::UDP);
  open->set_host_ip("0.0.0.0");
  const auto config = plan(asked);
  ASSERT_EQ(config->ports.size(), 1u);
  EXPECT_EQ(
      config->ports[0],
      (network::PortMapping{.host_ip = "", .host_port = 5353, .container_port = 53, .protocol = "udp"}));
  open->set_host_port(70000);
  EXPECT_EQ(plan(asked).error().kind(), ErrorKind::invalid_argument);
  open->set_host_port(80);
  open->set_container_port(0);
  EXPECT_FALSE(plan(asked));
}

TEST(SandboxConfig, AUserNamespaceTakesOneMappingFromZero) {
  auto asked = request();
  auto* users = namespaces(asked).mutable_userns_options();
  users->set_mode(v1::NODE);
  EXPECT_FALSE(plan(asked)->user_namespace);
  users->set_mode(v1::POD);
  EXPECT_FALSE(plan(asked));
  for (auto* ids : {users->mutable_uids(), users->mutable_gids()}) {
    auto* mapping = ids->Add();
    mapping->set_host_id(1000);
    mapping->set_length(65536);
  }
  const auto config = plan(asked);
  ASSERT_TRUE(config && config->user_namespace);
  EXPECT_EQ(config->user_namespace->uids,
            (std::vector<oci::IdMapping>{{.container_id = 0, .host_id = 1000, .size = 65536}}));
  users->mutable_uids(0)->set_container_id(1);
  EXPECT_FALSE(plan(asked));
  users->mutable_uids(0)->set_container_id(0);
  *users->add_uids() = users->uids(0);
  EXPECT_FALSE(plan(asked));
}

TEST(SandboxConfig, WhatPluginsAreTold) {
  auto asked = request();
  (*asked.mutable_config()->mutable_annotations())["kubernetes.io/egress-bandwidth"] = "10M";
  const auto config = plan(asked);
  const std::pair<std::string, std::string> name = {"K8S_POD_NAME", "web"};
  EXPECT_NE(std::find(config->cni.arguments.begin(), config->cni.arguments.end(), name),
            config->cni.arguments.end());
  EXPECT_EQ(config->cni.egress_rate, 10'000'000u);
  EXPECT_EQ(config->cni.ingress_rate, 0u);
  (*asked.mutable_config()->mutable_annotations())["kubernetes.io/egress-bandwidth"] = "fast";
  EXPECT_EQ(plan(asked).error().kind(), ErrorKind::invalid_argument);
}

TEST(Rates, AreQuantities) {
  EXPECT_EQ(*parse_rate("1000"), 1000u);
  EXPECT_EQ(*parse_rate("1k"), 1000u);
  EXPECT_EQ(*parse_rate("1.5Mi"), 1572864u);
  EXPECT_EQ(*parse_rate("1P"), 1'000'000'000'000'000u);
  for (const char* text : {"", "M", "10X", "10Mb", "1.2.3M", "-1M", "999", "2P", "10 M", "10i"})
    EXPECT_FALSE(parse_rate(text)) << text;
}

TEST(SandboxConfig, TheUserOfTheInfraContainer) {
  auto asked = request();
  auto* context = asked.mutable_config()->mutable_linux()->mutable_security_context();
  context->mutable_run_as_group()->set_value(7);
  EXPECT_EQ(plan(asked).error().kind(), ErrorKind::invalid_argument);
  context->mutable_run_as_user()->set_value(0);
  EXPECT_EQ(plan(asked)->user, "0:7");
}

TEST(SandboxConfig, ProfilesAreForAnImageOfOnesOwn) {
  auto asked = request();
  auto* seccomp = asked.mutable_config()->mutable_linux()->mutable_security_context()->mutable_seccomp();
  seccomp->set_profile_type(v1::SecurityProfile::Unconfined);
  EXPECT_TRUE(plan(asked)->security_opt.empty());
  EXPECT_EQ(plan_sandbox(asked, "example.com/pause", kNoProfiles)->security_opt,
            std::vector<std::string>{"seccomp=unconfined"});
}

}  // namespace
}  // namespace fermata::cri
