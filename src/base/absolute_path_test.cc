#include "base/absolute_path.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace fermata {
namespace {

TEST(AbsolutePath, BeginsAtTheWorkingDirectory) {
  EXPECT_EQ(*absolute_path("a/b"), std::filesystem::current_path().string() + "/a/b");
  EXPECT_EQ(*absolute_path("/a/b"), "/a/b");
  EXPECT_EQ(*absolute_path(""), "");
}

}  // namespace
}  // namespace fermata
