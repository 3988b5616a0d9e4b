#include "cli/core/duration.h"

#include <gtest/gtest.h>

namespace fermata::cli {
namespace {

TEST(Duration, IsAsGoWritesIt) {
  EXPECT_EQ(parse_duration("0"), 0);
  EXPECT_EQ(parse_duration("100ms"), 100'000'000);
  EXPECT_EQ(parse_duration("1.5s"), 1'500'000'000);
  EXPECT_EQ(parse_duration("1h30m"), 5'400'000'000'000);
  for (const char* none : {"", "5", "s", "1x", "5s ", "-1s", "1e3s", "999999999h"})
    EXPECT_FALSE(parse_duration(none)) << none;
}

}  // namespace
}  // namespace fermata::cli
