#include "pod/log_reader.h"

#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

TEST(LogReader, ParsesLines) {
  const auto line = parse_log_line("2024-05-06T07:08:09.5Z stderr F hello world ");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->stream, 2);
  EXPECT_FALSE(line->partial);
  EXPECT_EQ(line->content, "hello world ");
  EXPECT_EQ(line->time, 1714979289500000000);
  EXPECT_EQ(parse_log_line("2024-05-06T09:08:09.5+02:00 stdout P ")->time, 1714979289500000000);
  EXPECT_TRUE(parse_log_line("2024-05-06T09:08:09.5+02:00 stdout P x")->partial);
  for (const char* bad :
       {"", "x", "2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z stdlog F x", "2024-05-06 stdout F x",
        "2024-05-06T07:08:09 stdout F x", "2024-05-06T07:08:09Z stdout F"})
    EXPECT_FALSE(parse_log_line(bad)) << bad;
}

TEST(LogReader, TimesBeyondWhatCanBeCounted) {
  EXPECT_EQ(parse_timestamp("9999-12-31T23:59:59Z"), INT64_MAX);
  EXPECT_EQ(parse_timestamp("0001-01-01T00:00:00Z"), INT64_MIN);
  EXPECT_EQ(parse_timestamp("2262-04-11T23:47:16.854775807Z"), INT64_MAX);
  EXPECT_EQ(parse_timestamp("2262-04-11T23:47:16.854775806Z"), INT64_MAX - 1);
}

TEST(LogReader, PartsAreJoined) {
  std::string out;
  const LogPrinter::Sink sink = [&](int stream, std::string_view bytes) {
    out += std::to_string(stream) + "[" + std::string(bytes) + "]";
    return true;
  };
  LogPrinter printer(true, 0, 0, sink);
  EXPECT_TRUE(printer.print("2024-05-06T07:08:09Z stdout P ab"));
  EXPECT_TRUE(printer.print("2024-05-06T07:08:09Z stderr F e"));
  EXPECT_TRUE(printer.print("2024-05-06T07:08:10Z stdout F c"));
  EXPECT_EQ(out, "1[2024-05-06T07:08:09Z ab]2[2024-05-06T07:08:09Z e\n]1[c\n]");
}

TEST(LogReader, SinceAndUntil) {
  std::string out;
  const LogPrinter::Sink sink = [&](int, std::string_view bytes) {
    out += bytes;
    return true;
  };
  LogPrinter printer(false, 1714979289000000000, 1714979290000000000, sink);
  EXPECT_TRUE(printer.print("2024-05-06T07:08:08Z stdout F early"));
  EXPECT_TRUE(printer.print("2024-05-06T07:08:09Z stdout F in"));
  EXPECT_FALSE(printer.print("2024-05-06T07:08:11Z stdout F late"));
  EXPECT_EQ(out, "in\n");
}

TEST(LogReader, TailCountsWholeLines) {
  const std::string stamp = "2024-05-06T07:08:09Z stdout ";
  const std::string text = stamp + "F one\n" + stamp + "P two-\n" + stamp + "F two\n" + stamp + "F three\n";
  EXPECT_EQ(count_lines(text), 3u);
  EXPECT_EQ(text.substr(tail_offset(text, 1)), stamp + "F three\n");
  EXPECT_EQ(text.substr(tail_offset(text, 2)), stamp + "P two-\n" + stamp + "F two\n" + stamp + "F three\n");
  EXPECT_EQ(tail_offset(text, 3), 0u);
  EXPECT_EQ(tail_offset(text, 99), 0u);
  EXPECT_EQ(tail_offset(text, 0), text.size());
  EXPECT_EQ(tail_offset("", 5), 0u);
}

}  // namespace
}  // namespace fermata::pod
