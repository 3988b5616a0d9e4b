#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace fermata {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_), nullptr); }
  void TearDown() override { EXPECT_TRUE(remove_tree(directory_)); }
  bool exists(const std::string& path) const { return ::faccessat(AT_FDCWD, path.c_str(), F_OK, 0) == 0; }

  char directory_[32] = "/tmp/fermata-files-XXXXXX";
};

// A container's process can make trees deeper than there are descriptors to hold them open.
TEST_F(FilesTest, RemovesTreesOfAnyDepth) {
  const std::string tree = std::string(directory_) + "/tree";
  ASSERT_TRUE(make_directories(tree));
  ASSERT_TRUE(make_directories(tree + "/.moved-0"));  // the name is free to use for others
  UniqueFd at(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int depth = 0; depth < 3000; ++depth) {
    ASSERT_EQ(::mkdirat(at.get(), "deeper", 0700), 0);
    UniqueFd next(::openat(at.get(), "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(next);
    ASSERT_EQ(::symlinkat("/", at.get(), "link"), 0);
    at = std::move(next);
  }
  at.reset();
  const auto removed = remove_tree(tree);
  EXPECT_TRUE(removed) << removed.error().message();
  EXPECT_FALSE(exists(tree));
}

// "no space left on device" alone does not tell where to make room.
TEST_F(FilesTest, NamesTheFileThatCannotBeWritten) {
  const std::string path = std::string(directory_) + "/file";
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit nothing = {0, before.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &nothing), 0);
  const auto written = write_file(path, "text");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message().find(path), std::string::npos) << written.error().message();
  EXPECT_FALSE(exists(path));
}

}  // namespace
}  // namespace fermata
