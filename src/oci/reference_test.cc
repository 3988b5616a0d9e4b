#include "oci/reference.h"

#include <gtest/gtest.h>

namespace fermata::oci {
namespace {

TEST(Reference, FamiliarNamesBecomeCanonical) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const std::pair<std::string, std::string> rows[] = {
      {"nginx", "docker.io/library/nginx:latest"},
      {"nginx:1.25", "docker.io/library/nginx:1.25"},
      {"jimmysong/pause-amd64:3.0", "docker.io/jimmysong/pause-amd64:3.0"},
      {"index.docker.io/nginx", "docker.io/library/nginx:latest"},
      {"localhost/a", "localhost/a:latest"},
      {"localhost:5000/a/b", "localhost:5000/a/b:latest"},
      {"[::1]:5000/a", "[::1]:5000/a:latest"},
      {"registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"},
      {"a__b/c---d/e.f", "docker.io/a__b/c---d/e.f:latest"},
      {"x@" + digest, "docker.io/library/x@" + digest},
      {"x:1@" + digest, "docker.io/library/x:1@" + digest}};
  for (const auto& [text, expected] : rows) {
    const auto reference = parse_reference(text);
    ASSERT_TRUE(reference) << text << ": " << reference.error().message();
    EXPECT_EQ(reference->canonical(), expected);
    const auto again = parse_reference(reference->familiar());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->canonical(), expected);
  }
}

TEST(Reference, MalformedNamesAreRefused) {
  for (const std::string text : {"", ":", "a:", "@", "a@sha256:1", "a//b", "/a", "a/", "A", "a:b:c", "a___b",
                                 "a..b", "-a", "a b", "../a", "a:-x", "-x.y/a", "x:y/a", "a@b@c"}) {
    const auto reference = parse_reference(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_NE(reference.error().message().find("invalid reference format"), std::string::npos);
  }
  EXPECT_FALSE(parse_reference(std::string(64, 'a')));
  EXPECT_FALSE(parse_reference(std::string(300, 'a')));
}

TEST(Reference, TheWholeNameHasALimit) {
  const std::string longest(255 - std::string("docker.io/library/").size(), 'a');
  const auto fits = parse_reference(longest);
  ASSERT_TRUE(fits);
  EXPECT_TRUE(parse_reference(fits->canonical()));
  EXPECT_FALSE(parse_reference(longest + "a"));
}

}  // namespace
}  // namespace fermata::oci
