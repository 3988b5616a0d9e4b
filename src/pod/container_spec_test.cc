#include "pod/container_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pod/config_check.h"

namespace fermata::pod {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Args = std::vector<std::string>;

std::vector<std::string> args(std::optional<Args> entrypoint, Args command, Args image_entrypoint,
                              Args image_cmd) {
  ContainerConfig config;
  config.entrypoint = std::move(entrypoint);
  config.command = std::move(command);
  const oci::ImageConfig image{.entrypoint = std::move(image_entrypoint), .cmd = std::move(image_cmd)};
  const auto resolved = resolve_image(config, image);
  return resolved ? resolved->args : Args{resolved.error().message()};
}

TEST(ContainerSpec, EntrypointAndCommand) {
  EXPECT_THAT(args({}, {}, {"/entry"}, {"cmd"}), ElementsAre("/entry", "cmd"));
  EXPECT_THAT(args({}, {"mine"}, {"/entry"}, {"cmd"}), ElementsAre("/entry", "mine"));
  EXPECT_THAT(args({}, {"mine"}, {}, {"cmd"}), ElementsAre("mine"));
  EXPECT_THAT(args(Args{"own"}, {}, {"/entry"}, {"cmd"}), ElementsAre("own"));
  EXPECT_THAT(args(Args{"own"}, {"mine"}, {"/entry"}, {"cmd"}), ElementsAre("own", "mine"));
  EXPECT_THAT(args(Args{""}, {"mine"}, {"/entry"}, {"cmd"}), ElementsAre("mine"));
  EXPECT_THAT(args(Args{""}, {}, {"/entry"}, {"cmd"}), ElementsAre("no command specified"));
  EXPECT_THAT(args({}, {}, {}, {}), ElementsAre("no command specified"));
}

TEST(ContainerSpec, EnvironmentAsDockerMergesIt) {
  const auto env = process_env(merge_env({"A=image", "B=image", "PATH=/img"}, {"A=user", "C=", "B"}), "host1",
                               "/root", true);
  EXPECT_THAT(env, ElementsAre("PATH=/img", "HOSTNAME=host1", "TERM=xterm", "A=user", "C=", "HOME=/root"));
  const auto bare = process_env({"HOME=/x", "TERM=dumb"}, "h", "/root", true);
  EXPECT_THAT(bare, ElementsAre("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                "HOSTNAME=h", "TERM=dumb", "HOME=/x"));
  EXPECT_THAT(process_env({}, "h", "", false), Contains("HOME=/"));
}

TEST(ContainerSpec, ImageVolumesBecomeAnonymousOnesUnlessCovered) {
  ContainerConfig config;
  config.command = {"x"};
  config.mounts = {{.kind = VolumeMount::Kind::bind, .source = "/h", .destination = "/data/deep"},
                   {.kind = VolumeMount::Kind::tmpfs, .destination = "/cache"}};
  const auto resolved = resolve_image(config, {.volumes = {"/data", "/cache", "relative", "/"}}).value();
  ASSERT_EQ(resolved.mounts.size(), 3u);
  EXPECT_EQ(resolved.mounts[0].destination, "/cache");
  EXPECT_EQ(resolved.mounts[1].destination, "/data");
  EXPECT_EQ(resolved.mounts[1].kind, VolumeMount::Kind::volume);
  EXPECT_EQ(resolved.mounts[2].destination, "/data/deep");
}

TEST(ContainerSpec, StopSignalUserAndDirectory) {
  ContainerConfig config;
  config.command = {"x"};
  auto resolved =
      resolve_image(config, {.user = "web", .working_dir = "srv", .stop_signal = "SIGQUIT"}).value();
  EXPECT_EQ(resolved.user, "web");
  EXPECT_EQ(resolved.working_dir, "/srv");
  EXPECT_EQ(resolved.stop_signal, "SIGQUIT");
  config.user = "0";
  config.stop_signal = "INT";
  resolved = resolve_image(config, {.user = "web", .stop_signal = "SIGQUIT"}).value();
  EXPECT_EQ(resolved.user, "0");
  EXPECT_EQ(resolved.stop_signal, "INT");
  EXPECT_EQ(resolved.working_dir, "/");
}

TEST(ContainerSpec, Devices) {
  EXPECT_EQ(parse_device("/dev/fuse")->container, "/dev/fuse");
  EXPECT_EQ(parse_device("/dev/fuse:r")->access, "r");
  EXPECT_EQ(parse_device("/dev/a:/dev/b")->container, "/dev/b");
  EXPECT_EQ(parse_device("/dev/a:/dev/b:rw")->access, "rw");
  EXPECT_FALSE(parse_device("/dev/a:/dev/b:rx"));
  EXPECT_FALSE(parse_device("fuse"));
  EXPECT_FALSE(parse_device("/dev/a:b:rw"));
}

TEST(ContainerSpec, SecurityOptions) {
  EXPECT_TRUE(parse_security({"no-new-privileges"})->no_new_privileges);
  EXPECT_TRUE(parse_security({"no-new-privileges:true"})->no_new_privileges);
  EXPECT_FALSE(parse_security({"no-new-privileges=false"})->no_new_privileges);
  EXPECT_TRUE(parse_security({"seccomp=unconfined"})->seccomp_unconfined);
  EXPECT_EQ(parse_security({R"(seccomp={"defaultAction":"x"})"})->seccomp_profile,
            R"({"defaultAction":"x"})");
  EXPECT_FALSE(parse_security({"seccomp=/no/file"}));
  EXPECT_FALSE(parse_security({"nonsense"}));
}

TEST(ContainerSpec, LimitsAsDocker) {
  ContainerConfig config;
  config.privileged = true;
  config.resources.memory = 64u << 20;
  config.resources.cpus = 0.5;
  config.resources.pids_limit = 0;
  const auto limits = make_limits(config, {});
  EXPECT_EQ(limits.memory_max, 64u << 20);
  EXPECT_EQ(limits.memory_swap_max, 128u << 20);
  EXPECT_EQ(limits.cpu_quota, 50000);
  EXPECT_EQ(limits.pids_max, -1);
  EXPECT_TRUE(limits.devices.empty());
  config.resources.memory_swap = -1;
  EXPECT_FALSE(make_limits(config, {}).memory_swap_max);
}

TEST(ContainerSpec, AMountOfTheUsersReplacesADefaultOne) {
  std::vector<oci::Mount> mounts = {
      {.destination = "/proc"}, {.destination = "/dev"}, {.destination = "/dev/pts"}};
  ContainerConfig config;
  config.mounts = {{.destination = "/dev"}};
  drop_covered_mounts(mounts, config);
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].destination, "/proc");
}

std::string problem(const ContainerConfig& config) {
  const auto result = check_config(config);
  return result ? "" : result.error().message();
}

TEST(ConfigCheck, BadInputIsNamed) {
  EXPECT_EQ(problem({}), "");
  EXPECT_THAT(problem({.name = "a b"}), HasSubstr("Invalid container name (a b)"));
  EXPECT_THAT(problem({.net = {"nope", ""}}), HasSubstr("network nope not found"));
  EXPECT_THAT(problem({.ipc = {"odd", ""}}), HasSubstr("odd: invalid IPC mode"));
  EXPECT_THAT(problem({.mounts = {{.source = "/a", .destination = "rel"}}}), HasSubstr("must be absolute"));
  EXPECT_THAT(
      problem({.mounts = {{.source = "/a", .destination = "/x"}, {.source = "/b", .destination = "/x"}}}),
      HasSubstr("Duplicate mount point: /x"));
  EXPECT_THAT(problem({.dns = {"nope"}}), HasSubstr("nope is not an ip address"));
  EXPECT_THAT(problem({.extra_hosts = {"nope"}}), HasSubstr("bad format for add-host"));
  EXPECT_THAT(problem({.ulimits = {{"nope", 1, 1}}}), HasSubstr("invalid ulimit type: nope"));
  EXPECT_THAT(problem({.stop_signal = "NOPE"}), HasSubstr("invalid signal: NOPE"));
  EXPECT_THAT(problem({.resources = {.memory = 1000}}), HasSubstr("Minimum memory limit allowed is 6MB"));
  EXPECT_THAT(problem({.sysctls = {{"vm.swappiness", "1"}}}), HasSubstr("not allowed"));
}

TEST(ConfigCheck, AJoinedNetworkTakesNoOptionsOfItsOwn) {
  const NamespaceMode joined{"container", "pause"};
  EXPECT_THAT(problem({.ports = {{.container_port = 80}}, .net = joined}),
              AllOf(HasSubstr("conflicting options: port publishing and the container type network mode"),
                    HasSubstr("'pause'")));
  EXPECT_THAT(problem({.hostname = "x", .net = joined}),
              HasSubstr("conflicting options: hostname and the network mode"));
  EXPECT_THAT(problem({.net = joined, .dns = {"1.1.1.1"}}),
              HasSubstr("conflicting options: dns and the network mode"));
  EXPECT_EQ(problem({.net = joined}), "");
  EXPECT_THAT(problem({.hostname = "x", .uts = {"host", ""}}), HasSubstr("hostname and the UTS mode"));
}

}  // namespace
}  // namespace fermata::pod
