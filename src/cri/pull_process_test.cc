#include "cri/pull_process.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

TEST(PullProcess, RequestsComeThrough) {
  PullRequest request{.root = "/r", .image = "docker.io/library/nginx:latest"};
  request.registries = {.conf = "/c", .hosts_dirs = {"/h", "/i"}};
  auto read = parse_pull(serialize_pull(request));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->root, "/r");
  EXPECT_EQ(read->image, request.image);
  EXPECT_EQ(read->registries, request.registries);
  EXPECT_FALSE(read->credentials);
  request.credentials =
      image::Credentials{.user = "u", .password = "p\"", .identity_token = "i", .registry_token = "r"};
  read = parse_pull(serialize_pull(request));
  ASSERT_TRUE(read && read->credentials);
  EXPECT_EQ(read->credentials->password, "p\"");
  EXPECT_EQ(read->credentials->registry_token, "r");
  EXPECT_FALSE(parse_pull("{}"));
  EXPECT_FALSE(parse_pull(""));
}

TEST(PullProcess, AnswersKeepTheKindOfAnError) {
  EXPECT_EQ(*parse_pulled(serialize_pulled(std::string("sha256:x"))), "sha256:x");
  const auto failed = parse_pulled(serialize_pulled(fail(ErrorKind::unavailable, "no route")));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind(), ErrorKind::unavailable);
  EXPECT_EQ(failed.error().message(), "no route");
  EXPECT_FALSE(parse_pulled(""));
  EXPECT_FALSE(parse_pulled("{\"kind\":\"x\"}"));
}

}  // namespace
}  // namespace fermata::cri
