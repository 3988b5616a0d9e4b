#include "base/base64.h"

#include <gtest/gtest.h>

namespace fermata {
namespace {

TEST(Base64, TheExamplesOfTheRfc) {
  const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                      {"f", "Zg=="},
                                                      {"fo", "Zm8="},
                                                      {"foo", "Zm9v"},
                                                      {"foob", "Zm9vYg=="},
                                                      {"fooba", "Zm9vYmE="},
                                                      {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : rows) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
  }
  EXPECT_EQ(decode_base64("Zg"), "f");
}

TEST(Base64, EveryByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
}

TEST(Base64, OtherCharactersAreRefused) {
  EXPECT_FALSE(decode_base64("Zm9-"));
  EXPECT_FALSE(decode_base64("Zm 9v"));
  EXPECT_FALSE(decode_base64("Z=g"));
}

}  // namespace
}  // namespace fermata
