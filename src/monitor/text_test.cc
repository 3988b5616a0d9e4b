#include "monitor/text.h"

#include <gtest/gtest.h>
#include <time.h>

#include <string>

namespace fermata::monitor {
namespace {

std::string stamp(std::int64_t ns) {
  std::string text(kTimestampSize, '?');
  format_timestamp(ns, text.data());
  return text;
}

TEST(Timestamp, KnownMoments) {
  EXPECT_EQ(stamp(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(stamp(951782400'000000001), "2000-02-29T00:00:00.000000001Z");
  EXPECT_EQ(stamp(4107542399'999999999), "2100-02-28T23:59:59.999999999Z");
}

TEST(Timestamp, AgreesWithLibc) {
  for (std::int64_t seconds = 0; seconds < 5'000'000'000; seconds += 86400 * 13 + 12345) {
    const time_t moment = seconds;
    tm parts = {};
    ::gmtime_r(&moment, &parts);
    char expected[64];
    ::strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000000Z", &parts);
    ASSERT_EQ(stamp(seconds * 1'000'000'000), expected);
  }
}

TEST(Number, Extremes) {
  char text[24];
  EXPECT_EQ(std::string(text, append_number(text, 0)), "0");
  EXPECT_EQ(std::string(text, append_number(text, -1)), "-1");
  EXPECT_EQ(std::string(text, append_number(text, INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(std::string(text, append_number(text, INT64_MAX)), "9223372036854775807");
}

TEST(Counter, WholeWordOfALine) {
  const std::string text = "low 1\noom 4\noom_kill 17\noom_group_kill 9\n";
  EXPECT_EQ(find_counter(text.data(), text.size(), "oom_kill"), 17u);
  EXPECT_EQ(find_counter(text.data(), text.size(), "oom"), 4u);
  EXPECT_EQ(find_counter(text.data(), text.size(), "max"), 0u);
}

}  // namespace
}  // namespace fermata::monitor
