#include "network/pod_ranges.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace fermata::network {
namespace {

std::string parsed(std::string_view text) {
  const auto ranges = parse_pod_ranges(text);
  return ranges ? format_pod_ranges(*ranges) : ranges.error().message();
}

TEST(PodRanges, AreOneOfEachFamily) {
  EXPECT_EQ(parsed("10.244.3.0/24"), "10.244.3.0/24");
  EXPECT_EQ(parsed("fd00:10:244:3::/64"), "fd00:10:244:3::/64");
  EXPECT_EQ(parsed("10.244.3.0/24,fd00:10:244:3::/64"), "10.244.3.0/24,fd00:10:244:3::/64");
  EXPECT_EQ(parsed("fd00:10:244:3::/64, 10.244.3.0/24"), "fd00:10:244:3::/64,10.244.3.0/24")
      << "the order is the cluster's";
  EXPECT_EQ(parsed("10.244.3.7/24"), "10.244.3.0/24");
}

TEST(PodRanges, NameWhatIsWrong) {
  EXPECT_EQ(parsed("10.244.3.0/24,10.244.4.0/24"),
            "'10.244.3.0/24' and '10.244.4.0/24' are both IPv4: a node has one network of each family");
  for (const char* bad :
       {"", "10.244.3.0", "10.244.3.0/33", "10.244.3/24", "pods", "fd00::/129", "10.0.0.0/-1"})
    EXPECT_EQ(parsed(bad).find("'" + std::string(bad) + "' is not a network"), 0u) << parsed(bad);
  EXPECT_EQ(parsed("10.244.3.0/24,").find("'' is not a network"), 0u);
}

TEST(PodRanges, TellWhatTheBuiltInNetworkCannotTake) {
  const auto why = [](const char* text) { return unsuited(*kernel::parse_network(text)); };
  for (const char* good : {"10.0.0.0/8", "10.244.3.0/24", "10.244.3.0/30", "fd00::/64", "fd00::/96"})
    EXPECT_EQ(why(good), "") << good;
  for (const char* bad : {"0.0.0.0/0", "10.244.3.1/32", "fd00::/112"}) EXPECT_NE(why(bad), "") << bad;
}

TEST(PodRanges, AreKept) {
  char name[] = "/tmp/fermata-ranges-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  {
    auto database = state::Database::open(directory + "/state.db");
    ASSERT_TRUE(database) << database.error().message();
    EXPECT_TRUE(recorded_pod_ranges(*database)->empty());
    ASSERT_TRUE(record_pod_ranges(*database, *parse_pod_ranges("10.244.3.0/24,fd00:10:244:3::/64")));
  }
  auto database = state::Database::open(directory + "/state.db");
  ASSERT_TRUE(database) << database.error().message();
  EXPECT_EQ(format_pod_ranges(*recorded_pod_ranges(*database)), "10.244.3.0/24,fd00:10:244:3::/64");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace fermata::network
