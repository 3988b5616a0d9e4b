#include "pod/list_filter.h"

#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

// before and since name w1, which was made at 100.
Result<ListFilter> parse(const ContainerFilter& filter) {
  return ListFilter::parse(filter, [](const std::string& name) -> Result<std::int64_t> {
    if (name == "w1") return 100;
    return fail(ErrorKind::not_found, "No such container: {}", name);
  });
}

bool matches(const ContainerInfo& info, std::vector<std::pair<std::string, std::string>> filters,
             bool all = true) {
  return parse({.all = all, .filters = std::move(filters)}).value().matches(info);
}

TEST(ListFilter, Keys) {
  ContainerInfo info{.id = "abc123", .name = "web1", .pod_id = "feed"};
  info.state = ContainerState::exited;
  info.exit_code = 3;
  info.image_id = "sha256:0123456789";
  info.config.image = "nginx";
  info.config.labels = {{"a", "1"}, {"b", "2"}};
  info.mounts = {{"/host", {.source = "/host", .destination = "/in"}}};
  EXPECT_FALSE(matches(info, {}, false));
  EXPECT_TRUE(matches(info, {}));
  EXPECT_TRUE(matches(info, {{"exited", "3"}}, false));
  EXPECT_FALSE(matches(info, {{"exited", "4"}}));
  EXPECT_TRUE(matches(info, {{"name", "^web"}}));
  EXPECT_TRUE(matches(info, {{"name", "nope"}, {"name", "eb1$"}}));
  EXPECT_FALSE(matches(info, {{"name", "["}}));
  EXPECT_TRUE(matches(info, {{"id", "abc"}}));
  EXPECT_TRUE(matches(info, {{"label", "a"}, {"label", "b=2"}}));
  EXPECT_FALSE(matches(info, {{"label", "a"}, {"label", "b=3"}}));
  EXPECT_TRUE(matches(info, {{"ancestor", "docker.io/library/nginx:latest"}}));
  EXPECT_TRUE(matches(info, {{"ancestor", "0123"}}));
  EXPECT_TRUE(matches(info, {{"volume", "/in"}}));
  EXPECT_TRUE(matches(info, {{"status", "exited"}}, false));
  EXPECT_FALSE(matches(info, {{"status", "running"}}));
  EXPECT_TRUE(matches(info, {{"pod", "fe"}}));
}

TEST(ListFilter, Ports) {
  ContainerInfo info;
  info.exposed_ports = {"443/tcp", "53/udp"};
  info.ports = info.config.ports = {{.host_port = 8080, .container_port = 80}};
  EXPECT_TRUE(matches(info, {{"publish", "8080"}}));
  EXPECT_TRUE(matches(info, {{"publish", "8000-8090/tcp"}}));
  EXPECT_FALSE(matches(info, {{"publish", "80"}}));
  EXPECT_FALSE(matches(info, {{"publish", "8080/udp"}}));
  EXPECT_TRUE(matches(info, {{"expose", "80"}}));
  EXPECT_TRUE(matches(info, {{"expose", "53/udp"}}));
  EXPECT_FALSE(matches(info, {{"expose", "53"}}));
}

TEST(ListFilter, BeforeAndSinceAContainer) {
  ContainerInfo info;
  info.created = 99;
  EXPECT_TRUE(matches(info, {{"before", "w1"}}));
  EXPECT_FALSE(matches(info, {{"since", "w1"}}));
  info.created = 100;
  EXPECT_FALSE(matches(info, {{"before", "w1"}}));
  EXPECT_FALSE(matches(info, {{"since", "w1"}}));
  EXPECT_EQ(parse({.filters = {{"since", "w2"}}}).error().message(), "No such container: w2");
}

TEST(ListFilter, NothingHasAHealthCheck) {
  EXPECT_TRUE(matches({}, {{"health", "none"}}));
  EXPECT_FALSE(matches({}, {{"health", "healthy"}}));
}

TEST(ListFilter, UnknownOnesAreRefused) {
  EXPECT_EQ(
      parse({.filters = {{"odd", "1"}}}).error().message(),
      "invalid filter 'odd': known are ancestor, before, exited, expose, health, id, label, name, network, "
      "pod, publish, since, status, volume");
  for (const char* key : {"exited", "status", "health", "publish", "expose"})
    EXPECT_EQ(parse({.filters = {{key, "x"}}}).error().message(),
              std::string("invalid filter '") + key + "=x'");
  EXPECT_FALSE(parse({.filters = {{"publish", "90-80"}}}));
}

}  // namespace
}  // namespace fermata::pod
