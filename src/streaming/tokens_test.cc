#include "streaming/tokens.h"

#include <gtest/gtest.h>

namespace fermata::streaming {
namespace {

using namespace std::chrono_literals;

const TokenCache::Clock::time_point kStart{};

Request exec() { return ExecRequest{"c", {"true"}, {.output = true}}; }

TEST(Tokens, AreUsedUpByTheFirst) {
  TokenCache tokens(1min, 10);
  const auto token = tokens.put(exec(), kStart);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->size(), 32u);
  EXPECT_TRUE(tokens.take("exec", *token, kStart));
  EXPECT_FALSE(tokens.take("exec", *token, kStart));
}

TEST(Tokens, OfAnotherKindAreUsedUpToo) {
  TokenCache tokens(1min, 10);
  const auto token = tokens.put(exec(), kStart);
  EXPECT_FALSE(tokens.take("attach", *token, kStart));
  EXPECT_FALSE(tokens.take("exec", *token, kStart));
}

TEST(Tokens, Expire) {
  TokenCache tokens(1min, 10);
  const auto old = tokens.put(exec(), kStart);
  const auto young = tokens.put(exec(), kStart + 30s);
  EXPECT_FALSE(tokens.take("exec", *old, kStart + 60s));
  EXPECT_EQ(tokens.size(), 1u);
  EXPECT_TRUE(tokens.take("exec", *young, kStart + 89s));
}

TEST(Tokens, AreBounded) {
  TokenCache tokens(1min, 2);
  const auto first = tokens.put(exec(), kStart);
  ASSERT_TRUE(tokens.put(exec(), kStart));
  const auto third = tokens.put(exec(), kStart + 59s);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().kind(), ErrorKind::unavailable);
  ASSERT_TRUE(tokens.take("exec", *first, kStart));
  EXPECT_TRUE(tokens.put(exec(), kStart));
  EXPECT_TRUE(tokens.put(exec(), kStart + 60s));
}

TEST(Requests, AreCheckedAsCriDoes) {
  EXPECT_TRUE(validate(exec()));
  EXPECT_FALSE(validate(ExecRequest{"", {"true"}, {.output = true}}));
  EXPECT_FALSE(validate(ExecRequest{"c", {}, {.output = true}}));
  EXPECT_FALSE(validate(ExecRequest{"c", {"true"}, {}}));
  EXPECT_FALSE(validate(AttachRequest{"c", {.output = true, .error_output = true, .terminal = true}}));
  EXPECT_TRUE(validate(AttachRequest{"c", {.input = true, .output = true, .terminal = true}}));
  EXPECT_FALSE(validate(PortForwardRequest{"", {}}));
  EXPECT_FALSE(validate(PortForwardRequest{"s", {0}}));
  EXPECT_TRUE(validate(PortForwardRequest{"s", {}}));
}

}  // namespace
}  // namespace fermata::streaming
