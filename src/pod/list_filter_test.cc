#include "pod/list_filter.h"

#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

bool matches(const ContainerInfo& info, std::vector<std::pair<std::string, std::string>> filters,
             bool all = true) {
  return ListFilter::parse({.all = all, .filters = std::move(filters)}).value().matches(info);
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

TEST(ListFilter, UnknownOnesAreRefused) {
  EXPECT_EQ(ListFilter::parse({.filters = {{"odd", "1"}}}).error().message(), "invalid filter 'odd'");
  EXPECT_FALSE(ListFilter::parse({.filters = {{"exited", "x"}}}));
  EXPECT_FALSE(ListFilter::parse({.filters = {{"status", "x"}}}));
}

}  // namespace
}  // namespace fermata::pod
