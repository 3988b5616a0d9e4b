#include "pod/tree_size.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"

namespace fermata::pod {
namespace {

TEST(TreeSize, CountsEachFileOnce) {
  char pattern[] = "/tmp/fermata-size-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  const std::string root = pattern;
  EXPECT_EQ(tree_size(root), 0u);
  ASSERT_TRUE(make_directories(root + "/a/b"));
  ASSERT_TRUE(write_file(root + "/a/five", "12345", 0640));
  ASSERT_TRUE(write_file(root + "/a/b/three", "123", 0640));
  ASSERT_EQ(::link((root + "/a/five").c_str(), (root + "/a/b/same").c_str()), 0);
  ASSERT_EQ(::symlink("/usr", (root + "/link").c_str()), 0);
  EXPECT_EQ(tree_size(root), 5u + 3u + 4u);
  EXPECT_EQ(tree_usage(root).inodes, 1u + 2u + 2u + 1u);  // itself, directories, files, the link
  EXPECT_EQ(tree_usage(root + "/none").inodes, 0u);
  EXPECT_EQ(tree_size(root + "/none"), 0u);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace fermata::pod
