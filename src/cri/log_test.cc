#include "cri/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/core/unique_fd.h"
#include "base/files.h"

namespace fermata::cri {
namespace {

TEST(Log, TextQuotesWhatHasNoVisibleEnd) {
  EXPECT_EQ(format_line(LogFormat::text, 1'000'000'000, LogLevel::warning, "a call failed",
                        {{"method", "StopContainer"}, {"error", "no \"x\"\n"}, {"empty", ""}}),
            "time=1970-01-01T00:00:01Z level=warning msg=\"a call failed\" method=StopContainer "
            "error=\"no \\\"x\\\"\\n\" empty=\"\"\n");
}

TEST(Log, JsonTakesAnyBytes) {
  EXPECT_EQ(
      format_line(LogFormat::json, 1'000'000'000, LogLevel::info, "ready", {{"x", "a\xff=b"}}),
      "{\"time\":\"1970-01-01T00:00:01Z\",\"level\":\"info\",\"msg\":\"ready\",\"x\":\"a\xEF\xBF\xBD=b\"}\n");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  auto file = memory_file("log", "");
  ASSERT_TRUE(file);
  Log log(file->get(), LogLevel::warning, LogFormat::text);
  log.info("no");
  log.error("yes");
  log.set(LogLevel::debug, LogFormat::json);
  log.debug("later");
  ASSERT_EQ(::lseek(file->get(), 0, SEEK_SET), 0);
  const std::string text = *read_fd(file->get());
  EXPECT_EQ(text.find("msg=no"), std::string::npos);
  EXPECT_NE(text.find("msg=yes"), std::string::npos);
  EXPECT_NE(text.find("\"later\""), std::string::npos);
}

TEST(Log, Names) {
  EXPECT_EQ(parse_log_level("warning"), LogLevel::warning);
  EXPECT_FALSE(parse_log_level("loud"));
  EXPECT_EQ(parse_log_format("json"), LogFormat::json);
  EXPECT_FALSE(parse_log_format(""));
}

}  // namespace
}  // namespace fermata::cri
