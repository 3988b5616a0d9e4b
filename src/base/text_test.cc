#include "base/text.h"

#include <gtest/gtest.h>

namespace fermata {
namespace {

TEST(Text, SplitsAndJoins) {
  EXPECT_EQ(split("a,b,,c", ','), (std::vector<std::string_view>{"a", "b", "", "c"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  EXPECT_EQ(join({"a", "b"}, "+"), "a+b");
  EXPECT_EQ(split_once("k=v=w", '=')->second, "v=w");
  EXPECT_FALSE(split_once("k", '='));
}

TEST(Text, NumbersAreTheWholeText) {
  EXPECT_EQ(parse_unsigned("80"), 80u);
  EXPECT_FALSE(parse_unsigned("80x"));
  EXPECT_FALSE(parse_unsigned("-1"));
  EXPECT_FALSE(parse_unsigned(""));
  EXPECT_FALSE(parse_unsigned("18446744073709551616"));
  EXPECT_EQ(parse_signed("-1"), -1);
}

TEST(Text, SizesAsDockerWritesThem) {
  EXPECT_EQ(parse_size("64m"), 64u << 20);
  EXPECT_EQ(parse_size("1.5g"), 3u << 29);
  EXPECT_EQ(parse_size("512"), 512u);
  EXPECT_EQ(parse_size("512b"), 512u);
  EXPECT_EQ(parse_size("100KB"), 102400u);
  EXPECT_EQ(parse_size("1GiB"), 1u << 30);
  EXPECT_FALSE(parse_size("m"));
  EXPECT_FALSE(parse_size("1x"));
  EXPECT_FALSE(parse_size("1.2.3m"));
}

TEST(Text, SizesForTables) {
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size(999), "999B");
  EXPECT_EQ(human_size(743000), "743kB");
  EXPECT_EQ(human_size(12345678), "12.3MB");
}

TEST(Text, Hex) { EXPECT_EQ(hex(std::string("\x00\xff\x1a", 3)), "00ff1a"); }

}  // namespace
}  // namespace fermata
