#include "pod/network_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

using ::testing::HasSubstr;

TEST(NetworkFiles, Hosts) {
  const auto text = hosts_file("web", "", {"10.88.0.2", "fd00::2"},
                               {"db:10.0.0.9", "h:host-gateway", "six:fd00::9"}, "10.88.0.1");
  EXPECT_THAT(text, HasSubstr("127.0.0.1\tlocalhost\n"));
  EXPECT_THAT(text, HasSubstr("10.88.0.2\tweb\nfd00::2\tweb\n"));
  EXPECT_THAT(text, HasSubstr("10.0.0.9\tdb\n"));
  EXPECT_THAT(text, HasSubstr("10.88.0.1\th\n"));
  EXPECT_THAT(text, HasSubstr("fd00::9\tsix\n"));
  EXPECT_THAT(hosts_file("web", "lan", {"10.88.0.2"}, {}, ""), HasSubstr("10.88.0.2\tweb.lan web\n"));
  EXPECT_THAT(hosts_file("web.lan", "", {"10.88.0.2"}, {}, ""), HasSubstr("10.88.0.2\tweb.lan web\n"));
}

TEST(NetworkFiles, LoopbackServersAreReplaced) {
  EXPECT_EQ(
      resolv_conf("# c\nnameserver 127.0.0.1\nnameserver\t10.0.0.1 # x\nsearch a b\noptions ndots:2\n", {}),
      "nameserver 10.0.0.1\nsearch a b\noptions ndots:2\n");
  EXPECT_EQ(resolv_conf("nameserver 127.0.0.53\n", {}), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  EXPECT_EQ(resolv_conf("nameserver 127.0.0.53\n", {.keep_loopback = true}), "nameserver 127.0.0.53\n");
  EXPECT_EQ(resolv_conf("nameserver fd00::1\nnameserver 10.0.0.1\n", {.ipv6 = false}),
            "nameserver 10.0.0.1\n");
  EXPECT_EQ(resolv_conf("", {}), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
}

TEST(NetworkFiles, OwnOptionsWin) {
  EXPECT_EQ(resolv_conf("nameserver 10.0.0.1\nsearch a\n",
                        {.servers = {"1.1.1.1"}, .search = {"."}, .options = {"rotate"}}),
            "nameserver 1.1.1.1\noptions rotate\n");
}

TEST(NetworkFiles, StubOfSystemdResolved) {
  EXPECT_TRUE(is_stub_resolver("nameserver 127.0.0.53\noptions edns0 trust-ad\n"));
  EXPECT_FALSE(is_stub_resolver("nameserver 127.0.0.53\nnameserver 10.0.0.1\n"));
  EXPECT_FALSE(is_stub_resolver(""));
}

}  // namespace
}  // namespace fermata::pod
