#include "cri/image_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"

namespace fermata::cri {
namespace {

TEST(ImageUsage, MeasuresALayerOnceAndSeesItGo) {
  char pattern[] = "/tmp/fermata-usage-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  const std::string root = pattern;
  ImageUsage usage(root, std::chrono::hours(1));
  EXPECT_EQ(usage.measure()->images.inodes, 0u);
  ASSERT_TRUE(make_directories(root + "/layers/a"));
  ASSERT_TRUE(write_file(root + "/layers/a/f", "12345"));
  auto now = usage.measure();
  ASSERT_TRUE(now);
  EXPECT_EQ(now->images.bytes, 5u);
  EXPECT_EQ(now->images.inodes, 2u);
  EXPECT_GT(now->time, 0);
  // Layers do not change: this is not looked at.
  ASSERT_TRUE(write_file(root + "/layers/a/g", "12345"));
  ASSERT_TRUE(make_directories(root + "/layers/b"));
  EXPECT_EQ(usage.measure()->images.inodes, 3u);
  std::filesystem::remove_all(root + "/layers/a");
  EXPECT_EQ(usage.measure()->images.bytes, 0u);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace fermata::cri
