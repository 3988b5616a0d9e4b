#include "kernel/netlink.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>

#include "kernel/conntrack.h"
#include "kernel/ip_address.h"
#include "kernel/nftables.h"

namespace fermata::kernel {
namespace {

TEST(Netlink, WhatIsBuiltIsReadBack) {
  NetlinkBatch batch;
  batch.begin(16, NLM_F_ACK, "first");
  batch.header(std::uint32_t{7});
  batch.text(1, "name");
  const std::size_t nest = batch.nest_begin(2);
  batch.be16(3, 0x1234);
  batch.be32(4, 0x12345678);
  batch.be64(5, 0x123456789abcdef0);
  batch.nest_end(nest);
  batch.begin(17, 0, "second");
  batch.u8(1, 9);
  std::string_view rest = batch.finish(100);
  const auto first = take_message(rest);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->type, 16);
  EXPECT_EQ(first->flags, NLM_F_ACK | NLM_F_REQUEST);
  EXPECT_EQ(first->sequence, 100u);
  std::string_view payload = first->payload;
  EXPECT_EQ(take_header<std::uint32_t>(payload), 7u);
  EXPECT_EQ(as_text(find_attribute(payload, 1)), "name");
  const std::string_view nested = find_attribute(payload, 2);
  EXPECT_EQ(as_be16(find_attribute(nested, 3)), 0x1234);
  EXPECT_EQ(as_be32(find_attribute(nested, 4)), 0x12345678u);
  EXPECT_EQ(as_be64(find_attribute(nested, 5)), 0x123456789abcdef0u);
  EXPECT_TRUE(find_attribute(nested, 6).empty());
  const auto second = take_message(rest);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->sequence, 101u);
  EXPECT_FALSE(take_message(rest));
}

TEST(Netlink, MalformedLengthsEndTheWalk) {
  NetlinkBatch batch;
  batch.begin(16, 0, "");
  batch.text(1, "some text that is long enough");
  const std::string whole = batch.finish(1);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    std::string_view rest(whole.data(), cut);
    EXPECT_FALSE(take_message(rest)) << cut;
  }
  for (const char length : {0, 1, 3, 127}) {
    std::string bad = whole;
    bad[16] = length;  // nla_len
    std::string_view rest = bad;
    const auto message = take_message(rest);
    ASSERT_TRUE(message);
    EXPECT_TRUE(find_attribute(message->payload, 1).empty());
  }
  EXPECT_EQ(as_u32("abc"), 0u);
  EXPECT_EQ(as_text(std::string_view("ab\0cd", 5)), "ab");
}

TEST(Netlink, TruncatedObjectsAreRefused) {
  EXPECT_FALSE(parse_flow(""));
  EXPECT_FALSE(parse_flow(std::string(8, '\0')));
  EXPECT_FALSE(parse_nft_chain("abc"));
  EXPECT_FALSE(parse_nft_rule(""));
}

TEST(IpAddress, ParsesAndFormats) {
  EXPECT_EQ(format_ip(*parse_ip("10.88.0.5")), "10.88.0.5");
  EXPECT_EQ(format_ip(*parse_ip("fd00:0::5")), "fd00::5");
  for (const char* bad : {"", "10.88.0", "10.88.0.256", "fe80::1%eth0", "[::1]", "host"})
    EXPECT_FALSE(parse_ip(bad)) << bad;
  EXPECT_EQ(format_network(*parse_network("10.88.3.4/16")), "10.88.0.0/16");
  EXPECT_EQ(format_network(*parse_network("fd00::1/64")), "fd00::/64");
  for (const char* bad : {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/x", "::/129", "/8"})
    EXPECT_FALSE(parse_network(bad)) << bad;
}

TEST(IpAddress, NetworksOverlap) {
  const auto meet = [](const char* one, const char* other) {
    return overlap(*parse_network(one), *parse_network(other));
  };
  EXPECT_TRUE(meet("10.0.0.0/8", "10.88.0.0/16"));
  EXPECT_TRUE(meet("10.88.7.0/24", "10.88.0.0/16"));
  EXPECT_FALSE(meet("10.89.0.0/16", "10.88.0.0/16"));
  EXPECT_FALSE(meet("10.88.0.0/16", "fd00::/64"));
  EXPECT_TRUE(meet("0.0.0.0/0", "10.88.0.0/16"));
}

}  // namespace
}  // namespace fermata::kernel
