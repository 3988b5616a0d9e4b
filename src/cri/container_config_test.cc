#include "cri/container_config.h"

#include <gtest/gtest.h>

#include "cri/keepsake.h"

namespace fermata::cri {
namespace {

using Strings = std::vector<std::string>;

const ReadProfile kNoProfiles = [](const std::string& path) -> Result<std::string> {
  return fail(ENOENT, "open '{}'", path);
};

class ContainerConfigTest : public testing::Test {
 protected:
  ContainerConfigTest() {
    auto* pod = sandbox_.mutable_config()->mutable_metadata();
    pod->set_name("web");
    pod->set_namespace_("shop");
    pod->set_uid("0a1b");
    request_.set_pod_sandbox_id("f00");
    asked().mutable_metadata()->set_name("nginx");
    asked().mutable_image()->set_image("sha256:1");
  }

  v1::ContainerConfig& asked() { return *request_.mutable_config(); }
  v1::LinuxContainerSecurityContext& context() {
    return *asked().mutable_linux()->mutable_security_context();
  }
  v1::LinuxSandboxSecurityContext& sandbox_context() {
    return *sandbox_.mutable_config()->mutable_linux()->mutable_security_context();
  }
  Result<pod::ContainerConfig> plan() {
    return plan_container(request_, {.pod = "f00f00", .sandbox = sandbox_}, {}, kNoProfiles);
  }
  ErrorKind refusal() {
    const auto planned = plan();
    return planned ? ErrorKind::failed : planned.error().kind();
  }

  v1::RunPodSandboxRequest sandbox_;
  v1::CreateContainerRequest request_;
};

TEST_F(ContainerConfigTest, ThePlainestContainer) {
  const auto config = plan();
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pod, "f00f00");
  EXPECT_EQ(config->name, "k8s_nginx_web_shop_0a1b_0");
  EXPECT_EQ(config->image, "sha256:1");
  EXPECT_FALSE(config->entrypoint);
  EXPECT_EQ(config->pid.kind, "pod");
  EXPECT_EQ(config->ipc.kind, "");
  EXPECT_EQ(config->log_path, "");
  EXPECT_EQ(config->security_opt, Strings{"seccomp=unconfined"});
  EXPECT_EQ(config->masked_paths, Strings{});
  EXPECT_EQ(config->oom_score_adj, 0);
  EXPECT_EQ(config->stop_signal, "");
}

TEST_F(ContainerConfigTest, TheRequestComesBackWithoutThePods) {
  *request_.mutable_sandbox_config() = sandbox_.config();
  pod::ContainerInfo container;
  container.config = *plan();
  request_.clear_sandbox_config();
  EXPECT_EQ(container_request(container)->SerializeAsString(), request_.SerializeAsString());
}

TEST_F(ContainerConfigTest, TheProcess) {
  asked().add_command("nginx");
  asked().add_args("-g");
  asked().set_working_dir("/srv");
  auto* variable = asked().add_envs();
  variable->set_key("A");
  variable->set_value("b=c");
  asked().set_tty(true);
  asked().set_stdin(true);
  asked().set_stdin_once(true);
  asked().set_stop_signal(v1::SIG_RTMINPLUS3);
  const auto config = plan();
  EXPECT_EQ(config->entrypoint, Strings{"nginx"});
  EXPECT_EQ(config->command, Strings{"-g"});
  EXPECT_EQ(config->env, Strings{"A=b=c"});
  EXPECT_TRUE(config->terminal && config->stdin_open && config->attach_stdin);
  EXPECT_EQ(config->stop_signal, "SIGRTMIN+3");
  variable->set_key("A=");
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
}

TEST_F(ContainerConfigTest, PidNamespaces) {
  auto& options = *context().mutable_namespace_options();
  options.set_pid(v1::CONTAINER);
  EXPECT_EQ(plan()->pid.kind, "");
  options.set_pid(v1::TARGET);
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  options.set_target_id("abc");
  EXPECT_EQ(plan()->pid.target, "abc");
  options.set_pid(v1::NODE);
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  sandbox_context().mutable_namespace_options()->set_pid(v1::NODE);
  EXPECT_EQ(plan()->pid.kind, "host");
  options.set_pid(v1::POD);
  EXPECT_EQ(plan()->pid.kind, "host");
}

TEST_F(ContainerConfigTest, OnlyAPrivilegedPodHasPrivilegedContainers) {
  context().set_privileged(true);
  context().mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  sandbox_context().set_privileged(true);
  const auto config = plan();
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->privileged);
  EXPECT_EQ(config->security_opt, (Strings{"seccomp=unconfined", "apparmor=unconfined"}));
}

TEST_F(ContainerConfigTest, Users) {
  context().mutable_run_as_group()->set_value(1002);
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  context().mutable_run_as_user()->set_value(1001);
  EXPECT_EQ(plan()->user, "1001:1002");
  context().set_run_as_username("www");
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  context().clear_run_as_user();
  EXPECT_EQ(plan()->user, "www:1002");
  context().add_supplemental_groups(5);
  context().set_supplemental_groups_policy(v1::Strict);
  EXPECT_EQ(plan()->groups, Strings{"5"});
  EXPECT_TRUE(plan()->strict_groups);
}

TEST_F(ContainerConfigTest, DroppingAllComesAfterAddingAll) {
  auto& capabilities = *context().mutable_capabilities();
  capabilities.add_add_capabilities("ALL");
  capabilities.add_add_capabilities("NET_ADMIN");
  EXPECT_EQ(plan()->cap_add, (Strings{"ALL", "NET_ADMIN"}));
  capabilities.add_drop_capabilities("all");
  EXPECT_EQ(plan()->cap_add, Strings{"NET_ADMIN"});
}

TEST_F(ContainerConfigTest, Mounts) {
  auto* mount = asked().add_mounts();
  mount->set_host_path("/data");
  mount->set_container_path("/srv//data/");
  mount->set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER);
  const auto config = plan();
  ASSERT_EQ(config->mounts.size(), 1u);
  EXPECT_EQ(config->mounts[0].kind, pod::VolumeMount::Kind::bind);
  EXPECT_EQ(config->mounts[0].destination, "/srv/data");
  EXPECT_EQ(config->mounts[0].propagation, "rslave");
  EXPECT_FALSE(config->mounts[0].recursive_readonly);
  mount->set_recursive_read_only(true);
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  mount->set_readonly(true);
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  mount->set_propagation(v1::PROPAGATION_PRIVATE);
  EXPECT_TRUE(plan()->mounts[0].recursive_readonly);
  EXPECT_EQ(plan()->mounts[0].relabel, pod::VolumeMount::Relabel::none);
  mount->set_selinux_relabel(true);
  EXPECT_EQ(plan()->mounts[0].relabel, pod::VolumeMount::Relabel::exclusive);
}

TEST_F(ContainerConfigTest, ImagesAreMountedReadOnly) {
  auto* mount = asked().add_mounts();
  mount->set_container_path("/model");
  mount->mutable_image()->set_image("sha256:2");
  mount->set_image_sub_path("data");
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
  mount->set_readonly(true);
  const auto config = plan();
  EXPECT_EQ(config->mounts[0].kind, pod::VolumeMount::Kind::image);
  EXPECT_EQ(config->mounts[0].source, "sha256:2");
  EXPECT_EQ(config->mounts[0].sub_path, "data");
  mount->set_host_path("/data");
  EXPECT_EQ(refusal(), ErrorKind::invalid_argument);
}

TEST_F(ContainerConfigTest, DevicesAndLogs) {
  auto* device = asked().add_devices();
  device->set_host_path("/dev/kvm");
  EXPECT_EQ(plan()->devices, Strings{"/dev/kvm:/dev/kvm:rwm"});
  device->set_container_path("/dev/vm");
  device->set_permissions("r");
  EXPECT_EQ(plan()->devices, Strings{"/dev/kvm:/dev/vm:r"});
  device->set_host_path("/dev/a:b");
  EXPECT_EQ(refusal(), ErrorKind::unsupported);
  asked().clear_devices();
  asked().set_log_path("nginx/0.log");
  EXPECT_EQ(plan()->log_path, "");
  sandbox_.mutable_config()->set_log_directory("/var/log/pods/a/");
  EXPECT_EQ(plan()->log_path, "/var/log/pods/a/nginx/0.log");
}

TEST(StopSignals, GoThereAndBack) {
  EXPECT_EQ(signal_name(v1::RUNTIME_DEFAULT), "");
  EXPECT_EQ(signal_name(v1::SIG_TERM), "SIGTERM");
  EXPECT_EQ(signal_name(v1::SIG_RTMAXMINUS1), "SIGRTMAX-1");
  for (const auto signal : {v1::SIG_TERM, v1::SIG_QUIT, v1::SIG_RTMIN, v1::SIG_RTMINPLUS3, v1::SIG_RTMAX})
    EXPECT_EQ(signal_of(signal_name(signal)), signal);
  EXPECT_EQ(signal_of("9"), v1::SIG_KILL);
  EXPECT_EQ(signal_of("nonsense"), v1::SIG_TERM);
}

}  // namespace
}  // namespace fermata::cri
