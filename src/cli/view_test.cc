#include <gtest/gtest.h>

#include "cli/container_view.h"
#include "cli/image_view.h"
#include "cli/table.h"

namespace fermata::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'500'000'000 * kSecond;

pod::ContainerInfo web() {
  pod::ContainerInfo info;
  info.id = std::string(64, 'a');
  info.name = "web";
  info.owner = "cli";
  info.config.image = "nginx";
  info.config.labels = {{"role", "front"}};
  info.args = {"/docker-entrypoint.sh", "nginx", "-g"};
  info.state = pod::ContainerState::running;
  info.pid = 42;
  info.created = kNow - 400 * kSecond;
  info.started = kNow - 300 * kSecond;
  info.ports = {{.host_port = 8080, .container_port = 80},
                {.host_ip = "127.0.0.1", .host_port = 81, .container_port = 81}};
  info.exposed_ports = {"80/tcp", "443/tcp"};
  info.network = network::Attachment{.ipv4 = "10.88.0.5", .mac = "02:00:00:00:00:01"};
  return info;
}

std::string show(const Value& value, std::string_view format) {
  const auto text = print_one(format, value);
  return text ? *text : text.error().message();
}

TEST(ContainerView, Row) {
  const Value row = container_row(web(), kNow, true);
  EXPECT_EQ(show(row, "{{.ID}} {{.Command}} {{.Status}} {{.RunningFor}} {{.Label \"role\"}}"),
            "aaaaaaaaaaaa \"/docker-entrypoint.…\" Up 5 minutes 6 minutes ago front");
  EXPECT_EQ(show(container_row(web(), kNow, false), "{{len .ID}} {{.Command}}"),
            "64 \"/docker-entrypoint.sh nginx -g\"");
}

TEST(ContainerView, ExposedPortsAreOfARunningOneInItsOwnNetwork) {
  auto info = web();
  info.ports.resize(1);
  const auto ports = [&] { return show(container_row(info, kNow, true), "{{.Ports}}"); };
  const std::string published = "0.0.0.0:8080->80/tcp, :::8080->80/tcp";
  EXPECT_EQ(ports(), "443/tcp, " + published);
  info.state = pod::ContainerState::exited;
  EXPECT_EQ(ports(), published) << "by its pod, in which others run";
  info.ports.clear();
  EXPECT_EQ(ports(), "");
  info.state = pod::ContainerState::running;
  for (const char* kind : {"host", "none", "container"}) {
    info.config.net.kind = kind;
    EXPECT_EQ(ports(), "") << kind;
    EXPECT_EQ(show(inspect_container(info), "{{len .NetworkSettings.Ports}}"), "0") << kind;
  }
}

TEST(ContainerView, Status) {
  auto info = web();
  info.state = pod::ContainerState::exited;
  info.exit_code = 137;
  info.finished = kNow - 7200 * kSecond;
  EXPECT_EQ(status_text(info, kNow), "Exited (137) 2 hours ago");
  info.state = pod::ContainerState::created;
  EXPECT_EQ(status_text(info, kNow), "Created");
}

TEST(ContainerView, InspectHasDockersPlaces) {
  const Value value = inspect_container(web());
  EXPECT_EQ(show(value, "{{.Name}} {{.State.Pid}} {{.State.Running}} {{.Path}} {{index .Args 0}}"),
            "/web 42 true /docker-entrypoint.sh nginx");
  EXPECT_EQ(show(value, "{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Networks.bridge.MacAddress}}"),
            "10.88.0.5 02:00:00:00:00:01");
  EXPECT_EQ(
      show(value, "{{json .NetworkSettings.Ports}}"),
      R"({"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],)"
      R"("81/tcp":[{"HostIp":"127.0.0.1","HostPort":"81"}]})");
  EXPECT_EQ(show(value, "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}"), "8080");
  EXPECT_EQ(show(value, "{{.HostConfig.NetworkMode}} {{.Config.Labels.role}}"), "bridge front");
}

TEST(ContainerView, WhatIsNotThereReadsAsInDocker) {
  const Value value = inspect_container(web());
  EXPECT_EQ(show(value, "{{.Config.Labels.none}}|{{index .Config.Labels \"none\"}}|"), "<no value>||");
  EXPECT_EQ(show(value, "{{.NetworkSettings.Networks.foo}} {{.NetworkSettings.Ports.none}}"),
            "<no value> <no value>");
  EXPECT_EQ(show(value, "{{len .HostConfig.CapAdd}} {{.Config.Cmd}} {{printf \"%v\" .HostConfig.CapAdd}}"),
            "0 [] []");
  EXPECT_EQ(show(value, "{{json .HostConfig.CapAdd}} {{json .Config.Volumes}} {{.Config.Volumes}}"),
            "null null map[]");
  EXPECT_EQ(show(value, "{{.Config.None}}"),
            "template: :1:2: executing \"\" at <.Config.None>: map has no entry for key \"None\"");
}

// A named and an anonymous volume, two binds and a tmpfs.
pod::ContainerInfo with_mounts() {
  using Kind = pod::VolumeMount::Kind;
  auto info = web();
  info.config.mounts = {
      {.kind = Kind::volume, .source = "data", .destination = "/data", .mode = ""},
      {.kind = Kind::volume, .destination = "/cache"},
      {.source = "/etc", .destination = "/e", .readonly = true, .mode = "ro"},
      {.source = "/srv", .destination = "/s", .readonly = true},
      {.kind = Kind::tmpfs, .destination = "/t", .options = "size=1m"},
  };
  for (const auto& mount : info.config.mounts) info.mounts.emplace_back(mount.source, mount);
  info.mounts[0].first = "/var/data";
  info.mounts[1] = {"/var/made", info.config.mounts[1]};
  info.mounts[1].second.source = "made";
  return info;
}

TEST(ContainerView, MountsHaveAllFieldsWhateverTheyAre) {
  EXPECT_EQ(
      show(inspect_container(with_mounts()),
           "{{range .Mounts}}{{.Name}},{{.Source}},{{.Destination}},{{.Driver}},{{.Mode}},{{.RW}};{{end}}"),
      "data,/var/data,/data,local,z,true;made,/var/made,/cache,local,,true;,/etc,/e,,ro,false;"
      ",/srv,/s,,,false;");
}

TEST(ContainerView, BindsAreOfDashVAndMountsOfTheOther) {
  const Value value = inspect_container(with_mounts());
  EXPECT_EQ(show(value, "{{.HostConfig.Binds}}"), "[data:/data /etc:/e:ro]");
  EXPECT_EQ(show(value, "{{range .HostConfig.Mounts}}{{.Type}} {{.Source}} {{.Target}} {{.ReadOnly}}{{end}}"),
            "bind /srv /s true");
}

TEST(ContainerView, SettingsAreToldAsTheyAct) {
  auto info = web();
  info.config.resources.memory = 64u << 20;
  info.config.cap_add = {"chown", "CAP_KILL"};
  info.config.cap_drop = {"all"};
  info.config.ports = {{.container_port = 90, .protocol = "udp"}, {.container_port = 80}};
  EXPECT_EQ(show(inspect_container(info), "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}"),
            "67108864 134217728");
  EXPECT_EQ(show(inspect_container(info), "{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}"),
            "[CAP_CHOWN CAP_KILL] [ALL]");
  EXPECT_EQ(show(inspect_container(info), "{{json .Config.ExposedPorts}}"),
            R"({"443/tcp":{},"80/tcp":{},"90/udp":{}})");
  info.config.resources.memory_swap = -1;
  EXPECT_EQ(show(inspect_container(info), "{{.HostConfig.MemorySwap}}"), "-1");
}

TEST(ContainerView, ScriptsFindDockersFields) {
  auto info = web();
  info.upper_path = "/containers/a/upper";
  const Value value = inspect_container(info);
  EXPECT_EQ(show(value, "{{.NetworkSettings.SandboxKey}} {{.GraphDriver.Data.UpperDir}}"),
            "/proc/42/ns/net /containers/a/upper");
  EXPECT_EQ(show(value,
                 "{{with .NetworkSettings}}{{.EndpointID}}|{{.Networks.bridge.NetworkID}}|"
                 "{{.Networks.bridge.Aliases}}{{end}}"),
            "||[]");
  EXPECT_EQ(show(value, "{{.AppArmorProfile}}|{{.ProcessLabel}}|{{.ExecIDs}}"), "||[]");
  EXPECT_EQ(show(value, "{{if .State.Health}}y{{else}}n{{end}}{{if .Config.Healthcheck}}y{{else}}n{{end}}"),
            "nn");
  EXPECT_EQ(show(value,
                 "{{with .HostConfig}}{{.Mounts}} {{.Links}} {{.VolumesFrom}} {{.CpuQuota}} "
                 "{{.OomKillDisable}} {{index .ReadonlyPaths 0}}{{end}}"),
            "[] [] [] 0 false /proc/bus");
  info.config.privileged = true;
  EXPECT_EQ(show(inspect_container(info), "{{.HostConfig.MaskedPaths}}"), "[]");
}

TEST(ContainerView, SizesWhenTheyAreAskedFor) {
  const ContainerSize size{.written = 12, .whole = 4'000'012};
  EXPECT_EQ(show(container_row(web(), kNow, true), "{{.Size}}"), "0B");
  EXPECT_EQ(show(container_row(web(), kNow, true, size), "{{.Size}}"), "12B (virtual 4MB)");
  EXPECT_EQ(show(inspect_container(web(), size), "{{.SizeRw}} {{.SizeRootFs}}"), "12 4000012");
  EXPECT_NE(show(inspect_container(web()), "{{.SizeRw}}").find("no entry"), std::string::npos);
}

TEST(ContainerView, ATmpfsIsNoMountOfTheRow) {
  EXPECT_EQ(show(container_row(with_mounts(), kNow, true), "{{.Mounts}} {{.LocalVolumes}}"),
            "data,made,/etc,/srv 2");
}

TEST(ContainerView, ArgumentsWithSpacesAreQuoted) {
  auto info = web();
  info.args = {"sh", "-c", "exit 7"};
  EXPECT_EQ(show(container_row(info, kNow, true), "{{.Command}}"), "\"sh -c 'exit 7'\"");
}

image::Image nginx() {
  image::Image image;
  image.id = "sha256:" + std::string(64, 'b');
  image.names = {"docker.io/library/nginx:latest", "docker.io/library/nginx:1.27"};
  image.repo_digests = {"docker.io/library/nginx@sha256:" + std::string(64, 'c')};
  image.size = 12345678;
  image.created = kNow - 14 * 86400 * kSecond;
  return image;
}

std::string rows(const ImageListOptions& options) {
  image::Image dangling;
  dangling.id = "sha256:" + std::string(64, 'd');
  const auto list = image_rows({nginx(), dangling}, options, kNow);
  if (!list) return list.error().message();
  std::string out;
  for (const Value& row : *list)
    out += show(row, "{{.Repository}}:{{.Tag}} {{.ID}} {{.CreatedSince}} {{.Size}};");
  return out;
}

TEST(ImageView, ARowPerName) {
  EXPECT_EQ(rows({}),
            "nginx:latest bbbbbbbbbbbb 2 weeks ago 12.3MB;nginx:1.27 bbbbbbbbbbbb 2 weeks ago 12.3MB;"
            "<none>:<none> dddddddddddd N/A 0B;");
}

TEST(ImageView, Filters) {
  EXPECT_EQ(rows({.pattern = "nginx:1.27"}), "nginx:1.27 bbbbbbbbbbbb 2 weeks ago 12.3MB;");
  EXPECT_EQ(rows({.filters = {{"dangling", "true"}}}), "<none>:<none> dddddddddddd N/A 0B;");
  EXPECT_EQ(rows({.filters = {{"reference", "ngi*:l*"}}}), "nginx:latest bbbbbbbbbbbb 2 weeks ago 12.3MB;");
  EXPECT_NE(rows({.filters = {{"colour", "red"}}}).find("invalid filter 'colour'"), std::string::npos);
}

TEST(ImageView, Inspect) {
  EXPECT_EQ(show(inspect_image(nginx()), "{{index .RepoTags 0}} {{len .RepoDigests}} {{.Size}}"),
            "nginx:latest 1 12345678");
}

TEST(ImageView, WhatAnImageDoesNotSayIsEmpty) {
  image::Image image = nginx();
  EXPECT_EQ(show(inspect_image(image), "{{.Config.Cmd}} {{len .Config.Env}} {{json .Config.Volumes}}"),
            "[] 0 null");
  EXPECT_EQ(show(inspect_image(image), "{{.Config.Labels.none}} {{json .Config.Labels}}"), "<no value> null");
  image.config.labels = {{"role", "front"}};
  EXPECT_EQ(show(inspect_image(image), "{{.Config.Labels.role}} {{.Config.Labels.none}}"),
            "front <no value>");
}

}  // namespace
}  // namespace fermata::cli
