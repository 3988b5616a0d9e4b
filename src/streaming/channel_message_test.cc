#include "streaming/channel_message.h"

#include <gtest/gtest.h>

namespace fermata::streaming {
namespace {

using namespace std::string_literals;

constexpr auto kBinary = ChannelEncoding::binary;
constexpr auto kBase64 = ChannelEncoding::base64;

TEST(ChannelMessages, AreAChannelAndBytes) {
  EXPECT_EQ(channel_message(kBinary, 1, "hi"), "\1hi");
  EXPECT_EQ(channel_message(kBinary, 3, ""), "\3");
  EXPECT_EQ(channel_message(kBase64, 1, "hi"), "1aGk=");
  EXPECT_EQ(channel_message(kBase64, 2, ""), "2");
}

TEST(ChannelMessages, ComeInPieces) {
  ChannelReader reader(kBinary, true);
  EXPECT_FALSE(*reader.feed("\4"s, false));
  auto piece = reader.feed("ab", false);
  ASSERT_TRUE(piece && *piece);
  EXPECT_EQ((*piece)->channel, 4);
  EXPECT_EQ((*piece)->bytes, "ab");
  EXPECT_EQ((*reader.feed("c", true))->bytes, "c");
  EXPECT_EQ((*reader.feed("\0x"s, true))->channel, 0);
  EXPECT_FALSE(*reader.feed("", true));
}

TEST(ChannelMessages, TheCloseSignalNamesAChannel) {
  ChannelReader reader(kBinary, true);
  auto piece = reader.feed("\xff\0"s, true);
  ASSERT_TRUE(piece && *piece);
  EXPECT_TRUE((*piece)->closed);
  EXPECT_EQ((*piece)->channel, 0);
  EXPECT_FALSE(*reader.feed("\xff"s, true));
  // Before v5 it is a message like others, on a channel that does not exist.
  ChannelReader old(kBinary, false);
  piece = old.feed("\xff\0"s, true);
  EXPECT_FALSE((*piece)->closed);
}

TEST(ChannelMessages, Base64ComesInPiecesOfAnySize) {
  const std::string text = channel_message(kBase64, 0, "hello world, and more");
  for (std::size_t step = 1; step < text.size(); ++step) {
    ChannelReader reader(kBase64, true);
    std::string all;
    for (std::size_t at = 0; at < text.size(); at += step) {
      auto piece = reader.feed(std::string_view(text).substr(at, step), at + step >= text.size());
      ASSERT_TRUE(piece);
      if (*piece) all += (*piece)->bytes;
    }
    EXPECT_EQ(all, "hello world, and more") << step;
  }
  EXPECT_FALSE(ChannelReader(kBase64, true).feed("0abc", true));
  EXPECT_FALSE(ChannelReader(kBase64, true).feed("0ab!d", true));
}

}  // namespace
}  // namespace fermata::streaming
