#include "kernel/copy_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace fermata::kernel {
namespace {

TEST(CopyTree, CopiesWholeAndCanBeRepeated) {
  char pattern[] = "/tmp/fermata-copy-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  const std::string root = pattern;
  ASSERT_TRUE(make_directories(root + "/a/sub"));
  ASSERT_TRUE(make_directories(root + "/b"));
  ASSERT_TRUE(write_file(root + "/a/sub/file", "text", 0640));
  ASSERT_EQ(::link((root + "/a/sub/file").c_str(), (root + "/a/same").c_str()), 0);
  ASSERT_EQ(::symlink("sub/file", (root + "/a/link").c_str()), 0);
  ASSERT_EQ(::mkfifo((root + "/a/pipe").c_str(), 0600), 0);
  ASSERT_EQ(::chmod((root + "/a").c_str(), 01777), 0);
  for (int turn = 0; turn < 2; ++turn) {
    const auto a = open_file(root + "/a", O_RDONLY | O_DIRECTORY).value().release();
    const auto b = open_file(root + "/b", O_RDONLY | O_DIRECTORY).value().release();
    const auto copied = copy_tree(a, b);
    ASSERT_TRUE(copied) << copied.error().message();
    ::close(a);
    ::close(b);
  }
  EXPECT_EQ(read_file(root + "/b/link").value(), "text");
  struct stat info = {}, same = {};
  ASSERT_EQ(::stat((root + "/b/sub/file").c_str(), &info), 0);
  ASSERT_EQ(::stat((root + "/b/same").c_str(), &same), 0);
  EXPECT_EQ(info.st_ino, same.st_ino);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  ASSERT_EQ(::lstat((root + "/b/pipe").c_str(), &info), 0);
  EXPECT_TRUE(S_ISFIFO(info.st_mode));
  ASSERT_EQ(::stat((root + "/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 01777u);
  EXPECT_TRUE(remove_tree(root));
}

}  // namespace
}  // namespace fermata::kernel
