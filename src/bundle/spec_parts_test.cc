#include "bundle/spec_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

namespace fermata::bundle {
namespace {

// It waited for somebody to write to it.
TEST(SpecPartsTest, AFifoIsNoNamespace) {
  char directory[] = "/tmp/spec_parts_XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string fifo = std::string(directory) + "/net";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path : {fifo, std::string(directory)}) {
    const auto opened = open_namespace(path);
    ASSERT_FALSE(opened) << path;
    EXPECT_EQ(opened.error().kind(), ErrorKind::invalid_argument);
    EXPECT_THAT(opened.error().message(), testing::HasSubstr("'" + path + "' is no namespace"));
  }
  std::filesystem::remove_all(directory);
  EXPECT_TRUE(open_namespace("/proc/self/ns/net"));
  EXPECT_EQ(open_namespace("/nowhere/net").error().kind(), ErrorKind::not_found);
}

TEST(SpecPartsTest, AnyoneMayRaiseTheOomScore) {
  EXPECT_EQ(unreachable_oom_score({}), "");
  EXPECT_EQ(unreachable_oom_score({.oom_score_adj = 1000}), "");
}

}  // namespace
}  // namespace fermata::bundle
