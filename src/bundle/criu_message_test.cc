#include "bundle/criu_message.h"

#include <gtest/gtest.h>

namespace fermata::bundle {
namespace {

using namespace std::string_literals;

TEST(CriuMessage, ARequestIsItsTypeAndItsOptions) {
  CriuOptions options;
  options.number(CriuOption::pid, 300);
  options.text(CriuOption::root, "/r");
  options.flag(CriuOption::shell_job, true);
  // 2: varint 300; 13: two bytes; 7: 1.
  const std::string inner = "\x10\xac\x02\x6a\x02/r\x38\x01"s;
  EXPECT_EQ(options.bytes(), inner);
  EXPECT_EQ(criu_request(CriuType::dump, options), "\x08\x01\x12\x09"s + inner);
  EXPECT_EQ(criu_acknowledgement(true), "\x08\x06\x18\x01"s);
}

TEST(CriuMessage, FieldsAboveFifteenTakeTwoBytes) {
  CriuOptions options;
  options.inherit("net", 4);
  EXPECT_EQ(options.bytes(), "\xda\x01\x07\x0a\x03net\x10\x04"s);
}

TEST(CriuMessage, AnswersAreRead) {
  const auto restored = parse_criu_answer("\x08\x02\x10\x01\x22\x03\x08\xac\x02"s);
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->type, 2u);
  EXPECT_TRUE(restored->success);
  EXPECT_EQ(restored->pid, 300);
  const auto notified = parse_criu_answer("\x08\x06\x10\x01\x2a\x09\x0a\x05hello\x10\x07"s);
  ASSERT_TRUE(notified);
  EXPECT_EQ(notified->script, "hello");
  EXPECT_EQ(notified->pid, 7);
  const auto failed = parse_criu_answer("\x08\x01\x10\x00\x38\x0d\x4a\x02no\x7a\x01x"s);
  ASSERT_TRUE(failed);
  EXPECT_FALSE(failed->success);
  EXPECT_EQ(failed->error_number, 13);
  EXPECT_EQ(failed->message, "no");
}

TEST(CriuMessage, WhatIsCutOffIsNoAnswer) {
  const std::string whole = "\x08\x06\x10\x01\x2a\x09\x0a\x05hello\x10\x07"s;
  for (std::size_t size : {1u, 3u, 5u, 8u, 14u})
    EXPECT_FALSE(parse_criu_answer(whole.substr(0, size))) << size;
  EXPECT_FALSE(parse_criu_answer("\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s));
  EXPECT_FALSE(parse_criu_answer("\x0b"s));
}

}  // namespace
}  // namespace fermata::bundle
