#include "cli/container_flags.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/files.h"
#include "cli/mount_flags.h"

namespace fermata::cli {
namespace {

Client client() {
  return {.environment = [](const std::string& name) -> std::optional<std::string> {
            return name == "HERE" ? std::optional<std::string>("yes") : std::nullopt;
          },
          .directory = "/work"};
}

Result<pod::ContainerConfig> config(std::vector<std::string> words) {
  words.emplace_back("img");
  words.emplace_back("cmd");
  words.emplace_back("-x");
  const auto flags = parse_flags(container_flag_specs(), words, Placement::before_first);
  if (!flags) return tl::unexpected(flags.error());
  return container_config(*flags, container_flag_specs(), client());
}
std::string error(std::vector<std::string> words) {
  const auto result = config(std::move(words));
  return result ? "" : result.error().message();
}

TEST(ContainerFlags, TableIsSorted) {
  const auto specs = container_flag_specs();
  for (std::size_t i = 1; i < specs.size(); ++i) EXPECT_LT(specs[i - 1].name, specs[i].name);
}

TEST(ContainerFlags, ImageAndCommand) {
  const auto result = config({"-it", "--name", "web", "--rm", "-h", "box", "-w", "/srv", "-u", "1:2"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->image, "img");
  EXPECT_EQ(result->command, (std::vector<std::string>{"cmd", "-x"}));
  EXPECT_EQ(result->name, "web");
  EXPECT_EQ(result->hostname, "box");
  EXPECT_EQ(result->user, "1:2");
  EXPECT_TRUE(result->terminal && result->stdin_open && result->auto_remove);
}

TEST(ContainerFlags, Environment) {
  const std::string path = ::testing::TempDir() + "fermata_env_file";
  ASSERT_TRUE(write_file(path, "# note\n\nA=1\r\nHERE\nGONE\nB=x y\n"));
  const auto result = config({"--env-file", path, "-e", "A=2", "-e", "HERE", "-e", "GONE"});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->env, (std::vector<std::string>{"A=1", "HERE=yes", "B=x y", "A=2", "HERE=yes"}));
  ASSERT_TRUE(write_file(path, "A B=1\n"));
  EXPECT_EQ(error({"--env-file", path}),
            "invalid env file (" + path + "): variable 'A B' contains whitespaces");
  ASSERT_TRUE(remove_tree(path));
}

TEST(ContainerFlags, NamespacesLastOneWins) {
  const auto result =
      config({"--ipc=container:pause", "--ipc=shareable", "--net=container:pause", "--pid", "host"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->ipc.kind, "shareable");
  EXPECT_EQ(result->net.kind, "container");
  EXPECT_EQ(result->net.target, "pause");
  EXPECT_EQ(result->pid.kind, "host");
  EXPECT_EQ(error({"--ipc=nope"}), "--ipc: invalid IPC mode: nope");
  EXPECT_EQ(error({"--pid=shareable"}), "--pid: invalid PID mode: shareable");
  EXPECT_EQ(error({"--net=container:"}), "--network: container:NAME needs the name of a container");
  EXPECT_NE(error({"--net=mine"}).find("network mine not found"), std::string::npos);
}

TEST(ContainerFlags, Resources) {
  const auto result = config({"-m", "64m", "--cpus", "1.5", "--pids-limit", "-1", "--memory-swap=-1",
                              "--shm-size", "1g", "-c", "512"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->resources.memory, 64u << 20);
  EXPECT_EQ(result->resources.cpus, 1.5);
  EXPECT_EQ(result->resources.pids_limit, -1);
  EXPECT_EQ(result->resources.memory_swap, -1);
  EXPECT_EQ(result->shm_size, 1u << 30);
  EXPECT_EQ(error({"-m", "64x"}), "invalid argument \"64x\" for \"-m, --memory\" flag: invalid size: '64x'");
  EXPECT_NE(error({"--cpus", "two"}).find("failed to parse two as a rational number"), std::string::npos);
}

TEST(ContainerFlags, Network) {
  const auto result = config({"-p", "8080:80", "--add-host", "db:10.0.0.2", "--add-host=six=[::1]", "--dns",
                              "9.9.9.9", "--expose", "80-81"});
  ASSERT_TRUE(result) << result.error().message();
  ASSERT_EQ(result->ports.size(), 1u);
  EXPECT_EQ(result->ports[0].host_port, 8080);
  EXPECT_EQ(result->extra_hosts, (std::vector<std::string>{"db:10.0.0.2", "six:::1"}));
  EXPECT_EQ(result->expose, (std::vector<std::string>{"80/tcp", "81/tcp"}));
  EXPECT_NE(error({"-p", "70000:80"}).find("invalid argument \"70000:80\" for \"-p, --publish\" flag"),
            std::string::npos);
  EXPECT_NE(error({"--add-host", "db:zz"}).find("invalid IP address in add-host: \"zz\""), std::string::npos);
  EXPECT_NE(error({"--dns", "zz"}).find("zz is not an ip address"), std::string::npos);
}

TEST(ContainerFlags, Others) {
  const auto result = config({"--ulimit", "nofile=1024:2048", "--ulimit=core=-1", "-l", "a=b", "-l", "c",
                              "--log-opt", "max-size=1m", "--log-driver", "json-file", "--security-opt",
                              "no-new-privileges", "--entrypoint", ""});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->ulimits.size(), 2u);
  EXPECT_EQ(result->ulimits[1].hard, ~std::uint64_t{0});
  EXPECT_EQ(result->labels.at("c"), "");
  EXPECT_EQ(result->log_max_size, 1u << 20);
  EXPECT_EQ(result->entrypoint, std::vector<std::string>{""});
  EXPECT_NE(error({"--restart=always"}).find("restart policies are not there yet"), std::string::npos);
  EXPECT_NE(error({"--log-driver=syslog"}).find("unknown log driver"), std::string::npos);
  EXPECT_NE(error({"--ulimit", "nofile=2:1"})
                .find("ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
            std::string::npos);
  EXPECT_NE(error({"-w", "rel"}).find("needs to be an absolute path"), std::string::npos);
}

TEST(ContainerFlags, SelinuxLabels) {
  const auto label = [](const std::vector<std::string>& options) {
    std::vector<std::string> arguments;
    for (const std::string& option : options) {
      arguments.emplace_back("--security-opt");
      arguments.push_back("label=" + option);
    }
    const auto result = config(arguments);
    return result ? result->selinux_label : result.error().message();
  };
  EXPECT_EQ(label({}), "");
  EXPECT_EQ(label({"level:s0:c1,c2"}), "system_u:system_r:container_t:s0:c1,c2");
  EXPECT_EQ(label({"user:u", "role:r", "type:t", "level:s1"}), "u:r:t:s1");
  EXPECT_EQ(label({"type:t", "disable"}), "");
  EXPECT_NE(label({"type"}).find("a label is disable, or one of"), std::string::npos);
  EXPECT_NE(label({"kind:t"}).find("a label is disable, or one of"), std::string::npos);
}

TEST(MountFlags, Volumes) {
  auto mount = parse_volume("./conf/../a:/etc/a:ro,rslave", "/srv").value();
  EXPECT_EQ(mount.kind, pod::VolumeMount::Kind::bind);
  EXPECT_EQ(mount.source, "/srv/a");
  EXPECT_TRUE(mount.readonly && mount.create_source);
  EXPECT_EQ(mount.propagation, "rslave");
  EXPECT_EQ(mount.mode, "ro,rslave");
  EXPECT_EQ(mount.relabel, pod::VolumeMount::Relabel::none);
  EXPECT_EQ(parse_volume("/a:/a:ro,z", "/").value().relabel, pod::VolumeMount::Relabel::shared);
  EXPECT_EQ(parse_volume("/a:/a:Z", "/").value().relabel, pod::VolumeMount::Relabel::exclusive);
  mount = parse_volume("data:/var/data:nocopy", "/").value();
  EXPECT_EQ(mount.kind, pod::VolumeMount::Kind::volume);
  EXPECT_TRUE(mount.no_copy && !mount.create_source);
  EXPECT_EQ(parse_volume("/only", "/").value().source, "");
  EXPECT_EQ(parse_volume("a:b", "/").error().message().substr(0, 9), "\"a\" inclu");
  EXPECT_FALSE(parse_volume("/a:rel", "/"));
  EXPECT_FALSE(parse_volume("/a:/b:bad", "/"));
  EXPECT_FALSE(parse_volume("/a::ro", "/"));
  EXPECT_FALSE(parse_volume("/a:/", "/"));
  EXPECT_FALSE(parse_volume("~/a:/b", "/"));
}

TEST(MountFlags, MountsAndTmpfs) {
  auto mount = parse_mount("type=bind,src=/a,dst=/b,readonly", "/").value();
  EXPECT_EQ(mount.source, "/a");
  EXPECT_TRUE(mount.readonly && !mount.create_source);
  EXPECT_EQ(parse_mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700", "/").value().options,
            "size=1048576,mode=700");
  EXPECT_EQ(parse_mount("target=/t", "/").value().kind, pod::VolumeMount::Kind::volume);
  EXPECT_EQ(parse_mount("type=bind,target=/t,foo=1", "/").error().message(),
            "unexpected key 'foo' in 'foo=1'");
  EXPECT_EQ(parse_mount("type=bind,\"src=/a,b\",\"dst=/c\"", "/").value().source, "/a,b");
  EXPECT_TRUE(parse_mount("type=volume,src=vol,dst=/c,volume-driver=local", "/"));
  EXPECT_EQ(parse_mount("type=bind,\"src=/a", "/").error().message(),
            "a quote is not closed in 'type=bind,\"src=/a'");
  EXPECT_FALSE(parse_mount("type=npipe,src=/a,target=/t", "/"));
  EXPECT_FALSE(parse_mount("type=bind,target=/t", "/"));
  EXPECT_EQ(parse_tmpfs("/run:size=64m,ro").value().options, "size=64m,ro");
  EXPECT_EQ(parse_tmpfs("/run:foo").error().message(), "invalid tmpfs option 'foo'");
  EXPECT_FALSE(parse_tmpfs("/run:size"));
}

TEST(ContainerFlags, Platforms) {
  EXPECT_EQ(parse_platform("linux/arm64/v8").value(), "arm64");
  EXPECT_EQ(parse_platform("x86_64").value(), "amd64");
  EXPECT_EQ(parse_platform("").value(), "");
  EXPECT_EQ(parse_platform("linux").value(), "");
  for (const char* unknown :
       {"windows/amd64", "foo", "linux/foo", "linux/", "/", "a/b/c", "linux/amd64/v1/x"})
    EXPECT_FALSE(parse_platform(unknown)) << unknown;
}

}  // namespace
}  // namespace fermata::cli
