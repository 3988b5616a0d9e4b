#include "cri/process_counts.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fermata::cri {
namespace {

TEST(ProcessCounts, OurOwn) {
  const auto before = count_processes({::getpid()});
  EXPECT_EQ(before.processes, 1u);
  EXPECT_GT(before.soft_descriptor_limit, 0u);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const auto after = count_processes({::getpid()});
  EXPECT_EQ(after.sockets, before.sockets + 2);
  EXPECT_EQ(after.descriptors, before.descriptors + 2);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST(ProcessCounts, WhoIsGoneIsNotCounted) {
  EXPECT_EQ(count_processes({0x7fffffff}).processes, 0u);
  EXPECT_EQ(count_processes({}).processes, 0u);
}

TEST(ProcessCounts, TheLimitOfDescriptors) {
  EXPECT_EQ(
      parse_descriptor_limit("Max processes             7    8    processes\n"
                             "Max open files            1024                 524288               files\n"),
      1024u);
  EXPECT_EQ(
      parse_descriptor_limit("Max open files            unlimited            unlimited            files\n"),
      0u);
  EXPECT_EQ(parse_descriptor_limit(""), 0u);
}

}  // namespace
}  // namespace fermata::cri
