#include "kernel/network_counters.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace fermata::kernel {
namespace {

constexpr const char* kHeading =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
    "carrier compressed\n";

TEST(InterfaceCounters, AreReadByColumn) {
  const auto all = parse_interface_counters(
      std::string(kHeading) +
      "    lo:     100       1    0    0    0     0          0         0      100       1    "
      "0    0    0     0       0          0\n"
      "  eth0:18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "lo");
  EXPECT_EQ(all[0].tx_bytes, 100u);
  EXPECT_EQ(all[1].name, "eth0");
  EXPECT_EQ(all[1].rx_bytes, 18446744073709551615u);
  EXPECT_EQ(all[1].rx_packets, 2u);
  EXPECT_EQ(all[1].rx_errors, 3u);
  EXPECT_EQ(all[1].rx_dropped, 4u);
  EXPECT_EQ(all[1].tx_bytes, 9u);
  EXPECT_EQ(all[1].tx_packets, 10u);
  EXPECT_EQ(all[1].tx_errors, 11u);
  EXPECT_EQ(all[1].tx_dropped, 12u);
}

TEST(InterfaceCounters, OfBrokenLinesAreLeftOut) {
  EXPECT_TRUE(parse_interface_counters("").empty());
  EXPECT_TRUE(parse_interface_counters(kHeading).empty());
  EXPECT_TRUE(
      parse_interface_counters("eth0: 1 2 3\neth1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 x\n:\n").empty());
}

TEST(InterfaceCounters, OfAProcessHaveItsLoopback) {
  const auto all = read_interface_counters(::getpid());
  ASSERT_TRUE(all);
  bool loopback = false;
  for (const auto& counters : *all) loopback |= counters.name == "lo";
  EXPECT_TRUE(loopback);
  EXPECT_FALSE(read_interface_counters(0));
}

}  // namespace
}  // namespace fermata::kernel
