#include "image/transfer/http.h"

#include <gtest/gtest.h>

namespace fermata::image {
namespace {

TEST(HostOf, TakesTheAuthority) {
  EXPECT_EQ(host_of("https://a:5000/v2/"), "a:5000");
  EXPECT_EQ(host_of("http://[::1]:80?x"), "[::1]:80");
  EXPECT_EQ(host_of("https://user:pass@a/"), "a");
  EXPECT_EQ(host_of("https://a#@b"), "a");
  EXPECT_EQ(host_of("https://"), "");
}

TEST(IsLoopback, NamesAndAddresses) {
  for (const char* host : {"localhost", "LocalHost:5000", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:5000"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"", "localhost.example.com", "127.example.com", "127.0.0.1.example.com",
                           "128.0.0.1", "[::2]", "[::1", "10.0.0.1:127"})
    EXPECT_EQ(is_loopback(host), std::string_view(host) == "[::1") << host;
}

TEST(StatusText, KnowsTheCommonOnes) {
  EXPECT_EQ(status_text(500), "500 Internal Server Error");
  EXPECT_EQ(status_text(599), "599");
}

TEST(PauseBeforeRetry, EndsWhenStopped) {
  std::stop_source stop;
  EXPECT_TRUE(pause_before_retry(stop.get_token(), 0, std::chrono::seconds(0)));
  stop.request_stop();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(pause_before_retry(stop.get_token(), 6, std::chrono::seconds(3600)));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace fermata::image
