#include "base/signals.h"

#include <gtest/gtest.h>

#include <csignal>

namespace fermata {
namespace {

TEST(Signals, EverySpelling) {
  EXPECT_EQ(parse_signal("SIGTERM").value(), SIGTERM);
  EXPECT_EQ(parse_signal("term").value(), SIGTERM);
  EXPECT_EQ(parse_signal("15").value(), 15);
  EXPECT_EQ(parse_signal("RTMIN+3").value(), 37);
  EXPECT_EQ(parse_signal("SIGRTMAX-1").value(), 63);
  EXPECT_EQ(parse_signal("RTMIN").value(), 34);
}

TEST(Signals, NonsenseIsRefusedByName) {
  for (const char* text : {"", "0", "65", "SIG", "NOPE", "RTMIN+99", "RTMIN-1", "-9", "15x"}) {
    const auto result = parse_signal(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().message(), std::string("invalid signal: ") + text);
  }
}

}  // namespace
}  // namespace fermata
