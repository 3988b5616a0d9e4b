#include "cri/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string refusal(std::string_view text) {
  const auto settings = parse_settings(text, "f");
  return settings ? "" : settings.error().message();
}

TEST(Settings, TheDefaultTextSaysTheDefaults) {
  const auto settings = parse_settings(default_settings_text(), "default");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(*settings, Settings());
}

TEST(Settings, EveryKey) {
  const auto settings = parse_settings(R"(
listen = "unix:///tmp/x.sock"
socket_mode = "0600"
socket_gid = 7
root = "/r"
run_root = "/rr"
cgroup_manager = "systemd"
infra_image = "example.com/pause:1"
cdi_dirs = ["/cdi"]
stats_period = 3
log = {level = "debug", format = "json"}
streaming = {address = "::", port = 10010, certificate = "/c", key = "/k", idle_timeout = 60}
cni = {conf_dir = "/net.d", bin_dirs = ["/bin"]}
registries = {conf = "", hosts_dirs = ["/h"]}
metrics = {address = "[::1]:9889"}
[runtimes.runc]
path = "/usr/sbin/runc"
[runtimes.crun]
path = "/usr/bin/crun"
)",
                                       "f");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->listen, "/tmp/x.sock");
  EXPECT_EQ(settings->socket_mode, 0600u);
  EXPECT_EQ(settings->socket_gid, 7u);
  EXPECT_EQ(settings->root, "/r");
  EXPECT_EQ(settings->run_root, "/rr");
  EXPECT_EQ(settings->cgroup_manager, pod::CgroupManager::systemd);
  EXPECT_EQ(settings->infra_image, "example.com/pause:1");
  EXPECT_THAT(settings->cdi_dirs, ElementsAre("/cdi"));
  EXPECT_EQ(settings->stats_period, std::chrono::seconds(3));
  EXPECT_EQ(settings->log_level, LogLevel::debug);
  EXPECT_EQ(settings->log_format, LogFormat::json);
  EXPECT_EQ(settings->streaming, (StreamingSettings{.address = "::",
                                                    .port = 10010,
                                                    .certificate = "/c",
                                                    .key = "/k",
                                                    .idle_timeout = std::chrono::seconds(60)}));
  EXPECT_EQ(settings->cni, (CniSettings{.conf_dir = "/net.d", .bin_dirs = {"/bin"}}));
  EXPECT_EQ(settings->registries, (image::RegistryFiles{.conf = "", .hosts_dirs = {"/h"}}));
  EXPECT_EQ(settings->metrics_address, "[::1]:9889");
  EXPECT_THAT(settings->runtimes, ElementsAre(Pair("crun", "/usr/bin/crun"), Pair("runc", "/usr/sbin/runc")));
}

TEST(Settings, RefusalsNameFileLineAndKey) {
  EXPECT_EQ(refusal("\nlisten = 5"), "f:2: listen is not a string");
  EXPECT_THAT(refusal("[cni]\nconf = \"/x\""),
              HasSubstr("f:2: unknown setting 'cni.conf': there are bin_dirs, conf_dir"));
  EXPECT_THAT(refusal("listen = \"fermatad.sock\""),
              HasSubstr("f:1: listen: 'fermatad.sock' is not an absolute path"));
  EXPECT_THAT(refusal("socket_mode = \"0088\""), HasSubstr("socket_mode is none of"));
  EXPECT_THAT(refusal("[log]\nlevel = \"loud\""), HasSubstr("f:2: log.level is none of"));
  EXPECT_THAT(refusal("[streaming]\nport = 70000"),
              HasSubstr("f:2: streaming.port is not a number from 0 to 65535"));
  EXPECT_THAT(refusal("[streaming]\naddress = \"localhost\""), HasSubstr("is not an IP address"));
  EXPECT_THAT(refusal("[streaming]\nkey = \"/k\""), HasSubstr("certificate and key go together"));
  EXPECT_THAT(refusal("[metrics]\naddress = \"9889\""), HasSubstr("is not an IP address with a port"));
  EXPECT_THAT(refusal("[runtimes.fermata]\npath = \"/x\""), HasSubstr("that handler is the engine itself"));
  EXPECT_THAT(refusal("[runtimes.runc]\n"), HasSubstr("path, the program of an OCI runtime, is missing"));
  EXPECT_THAT(refusal("runtimes = 5"), HasSubstr("runtimes is not a table"));
  EXPECT_THAT(refusal("infra_image = \"A B\""), HasSubstr("infra_image: "));
  EXPECT_THAT(refusal("listen = \"/" + std::string(120, 'x') + "\""), HasSubstr("at most 107 bytes"));
  EXPECT_THAT(refusal("a = ["), HasSubstr("f:1: "));
}

TEST(Settings, HostPort) {
  const auto v6 = parse_host_port("[::1]:80");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 80);
  EXPECT_FALSE(parse_host_port("127.0.0.1"));
  EXPECT_FALSE(parse_host_port("127.0.0.1:99999"));
  EXPECT_FALSE(parse_host_port("localhost:80"));
}

}  // namespace
}  // namespace fermata::cri
