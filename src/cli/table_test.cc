#include "cli/table.h"

#include <gtest/gtest.h>

#include "cli/human.h"
#include "cli/pull_progress.h"
#include "cli/unicode.h"

namespace fermata::cli {
namespace {

TEST(Table, ColumnsAreAtLeastTenWideAndThreeApart) {
  EXPECT_EQ(align_columns("A\tB\nlonger than ten\tx\n"), "A                 B\nlonger than ten   x\n");
  EXPECT_EQ(align_columns("A\tB\n"), "A         B\n");
  EXPECT_EQ(align_columns("é…\tB\n"), "é…        B\n");
}

const std::vector<Value> kRows = {Value::object({{"Names", "web"}, {"Status", "Up"}}),
                                  Value::object({{"Names", "job"}, {"Status", "Created"}})};

std::string list(const std::string& format) {
  const auto text =
      print_list({.format = format, .columns = {{"Names", "NAMES"}, {"Status", "STATUS"}}}, kRows);
  return text ? *text : text.error().message();
}

TEST(Table, Formats) {
  EXPECT_EQ(list(""), "NAMES     STATUS\nweb       Up\njob       Created\n");
  EXPECT_EQ(list("table"), list(""));
  EXPECT_EQ(list("table {{.Status}}\\t{{upper .Names}}"), "STATUS    NAMES\nUp        WEB\nCreated   JOB\n");
  EXPECT_EQ(list("{{.Names}}"), "web\njob\n");
  EXPECT_EQ(list("json"),
            "{\"Names\":\"web\",\"Status\":\"Up\"}\n{\"Names\":\"job\",\"Status\":\"Created\"}\n");
  EXPECT_EQ(list("{{json .}}"), list("json"));
  EXPECT_EQ(list("{{.Nope}}"),
            "template: :1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\"");
}

TEST(Table, EscapesAreTheTemplatesOwnOutsideOfLists) {
  const Value value = Value::object({{"Args", Value::strings({"a", "b"})}});
  EXPECT_EQ(print_one("{{join .Args \"\\n\"}}\\t", value).value(), "a\nb\\t");
}

TEST(Human, Durations) {
  EXPECT_EQ(human_duration(0), "Less than a second");
  EXPECT_EQ(human_duration(1), "1 second");
  EXPECT_EQ(human_duration(59), "59 seconds");
  EXPECT_EQ(human_duration(60), "About a minute");
  EXPECT_EQ(human_duration(300), "5 minutes");
  EXPECT_EQ(human_duration(3600), "About an hour");
  EXPECT_EQ(human_duration(2 * 3600), "2 hours");
  EXPECT_EQ(human_duration(3 * 86400), "3 days");
  EXPECT_EQ(human_duration(15 * 86400), "2 weeks");
  EXPECT_EQ(human_duration(90 * 86400), "3 months");
  EXPECT_EQ(human_duration(800LL * 86400), "2 years");
}

TEST(Human, Times) {
  EXPECT_EQ(rfc3339(0), "0001-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(1'500'000'000'120'000'000), "2017-07-14T02:40:00.12Z");
  EXPECT_EQ(rfc3339(1'500'000'000'000'000'000), "2017-07-14T02:40:00Z");
  EXPECT_EQ(parse_time("2017-07-14T02:40:00.12Z", 0).value(), 1'500'000'000'120'000'000);
  EXPECT_EQ(parse_time("2017-07-14T04:40:00+02:00", 0).value(), 1'500'000'000'000'000'000);
  EXPECT_EQ(parse_time("1500000000.5", 0).value(), 1'500'000'000'500'000'000);
  EXPECT_EQ(parse_time("1m30s", 100'000'000'000).value(), 10'000'000'000);
  EXPECT_FALSE(parse_time("yesterday", 0));
  EXPECT_FALSE(parse_time("2017-07-14T02:40:00Zx", 0));
}

TEST(Unicode, CountsCharacters) {
  EXPECT_EQ(character_count("é…a"), 3u);
  EXPECT_EQ(ellipsis("abcdef", 4), "abc…");
  EXPECT_EQ(ellipsis("abcd", 4), "abcd");
}

TEST(PullProgress, LinesFitTheTerminal) {
  EXPECT_EQ(PullProgress::line({.layer = "a2ab", .status = "Pull complete"}, 80), "a2ab: Pull complete");
  const std::string bar =
      PullProgress::line({.layer = "a2ab", .status = "Downloading", .current = 500, .total = 1000}, 100);
  EXPECT_EQ(bar, "a2ab: Downloading [" + std::string(25, '=') + ">" + std::string(25, ' ') + "]  500B/1kB");
  EXPECT_EQ(PullProgress::line({.layer = "a2ab", .status = "Downloading", .current = 500, .total = 1000}, 40),
            "a2ab: Downloading  500B/1kB");
}

}  // namespace
}  // namespace fermata::cli
