#include "streaming/spdy_frame.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace fermata::streaming::spdy {
namespace {

using namespace std::string_literals;

// All frames of `bytes`, given in pieces of `step`; nullopt: an error.
std::optional<std::vector<Frame>> parse(std::string_view bytes, std::size_t step, std::string& data) {
  Parser parser;
  std::vector<Frame> frames;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    parser.feed(bytes.substr(0, step));
    for (Frame frame;;) {
      const auto more = parser.next(frame);
      if (!more) return std::nullopt;
      if (!*more) break;
      if (auto* piece = std::get_if<Data>(&frame)) {
        data += piece->bytes;
        piece->bytes = {};
      }
      frames.push_back(frame);
    }
  }
  return frames;
}

TEST(SpdyDictionary, IsTheSpecifications) {
  const auto words = spdy_dictionary();
  EXPECT_EQ(words.size(), 1423u);
  EXPECT_EQ(::adler32(::adler32(0, nullptr, 0), reinterpret_cast<const Bytef*>(words.data()),
                      static_cast<uInt>(words.size())),
            0xe3c6a7c2u);
}

TEST(SpdyHeaders, TravelThroughOneStreamOfCompression) {
  HeaderCompressor compressor;
  HeaderDecompressor decompressor;
  for (int i = 0; i < 100; ++i) {
    const SpdyHeaders headers = {{"streamtype", "data"}, {"port", std::to_string(i)}, {"empty", ""}};
    const std::string block = compressor.compress(headers);
    // zlib's header names the dictionary by its checksum.
    if (i == 0) {
      EXPECT_EQ(block.substr(2, 4), "\xe3\xc6\xa7\xc2");
    }
    const auto read = decompressor.decompress(block);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, headers);
  }
  const auto none = decompressor.decompress(compressor.compress({}));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(SpdyHeaders, WhatIsWrongIsRefused) {
  EXPECT_FALSE(HeaderDecompressor().decompress("no zlib"));
  EXPECT_FALSE(parse_header_pairs(""));
  EXPECT_FALSE(parse_header_pairs("\0\0\0\1\0\0\0\5port"s));
  EXPECT_FALSE(parse_header_pairs("\xff\xff\xff\xff"s));
  EXPECT_FALSE(parse_header_pairs("\0\0\0\1\0\0\0\1A\0\0\0\0"s));
  EXPECT_FALSE(parse_header_pairs("\0\0\0\2\0\0\0\1a\0\0\0\0\0\0\0\1a\0\0\0\0"s));
  EXPECT_FALSE(parse_header_pairs("\0\0\0\1\0\0\0\0\0\0\0\0"s));
  EXPECT_FALSE(parse_header_pairs("\0\0\0\0x"s));
  // Some hundred bytes that unpack to a megabyte.
  HeaderCompressor compressor;
  EXPECT_FALSE(HeaderDecompressor().decompress(compressor.compress({{"a", std::string(1 << 20, 'x')}})));
}

TEST(SpdyFrames, AreReadHoweverTheyAreCut) {
  Writer writer;
  std::string bytes = writer.syn_stream(1, {{"streamtype", "error"}}, true);
  bytes += Writer::data(1, "hello", false) + Writer::data(3, "", true);
  bytes += writer.syn_reply(1, {{"a", "b"}}, false);
  bytes += Writer::rst_stream(5, Reset::refused_stream) + Writer::settings({{{7, 1000}}}) + Writer::ping(9) +
           Writer::go_away(7, 1) + Writer::window_update(0, 12345);
  bytes += "\x80\x03\x00\x63\x00\x00\x00\x02zz"s;  // of an unknown type
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{7}, bytes.size()}) {
    std::string data;
    const auto frames = parse(bytes, step, data);
    ASSERT_TRUE(frames);
    EXPECT_EQ(data, "hello");
    const auto& syn = std::get<SynStream>(frames->front());
    EXPECT_TRUE(syn.id == 1 && syn.fin && !syn.unidirectional);
    EXPECT_EQ(syn.headers, (SpdyHeaders{{"streamtype", "error"}}));
    const auto end = frames->end();
    EXPECT_EQ(std::get<WindowUpdate>(end[-1]).delta, 12345u);
    EXPECT_EQ(std::get<GoAway>(end[-2]).last_id, 7u);
    EXPECT_EQ(std::get<Ping>(end[-3]).id, 9u);
    EXPECT_EQ(std::get<Settings>(end[-4]).values.at(0), std::pair(7u, 1000u));
    EXPECT_EQ(std::get<RstStream>(end[-5]).status, 3u);
    EXPECT_EQ(std::get<SynReply>(end[-6]).headers.at("a"), "b");
    EXPECT_TRUE(std::get<Data>(end[-7]).fin && std::get<Data>(end[-7]).id == 3);
  }
}

TEST(SpdyFrames, OnlyTheLastPieceOfDataEndsTheStream) {
  std::string data;
  const auto frames = parse(Writer::data(1, "abcdef", true), 4, data);
  ASSERT_TRUE(frames);
  EXPECT_EQ(data, "abcdef");
  for (std::size_t i = 0; i < frames->size(); ++i)
    EXPECT_EQ(std::get<Data>((*frames)[i]).fin, i + 1 == frames->size());
}

TEST(SpdyFrames, WhatIsWrongIsRefused) {
  std::string data;
  EXPECT_FALSE(parse("\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01"s, 99, data));  // version 2
  EXPECT_FALSE(parse("\x80\x03\x00\x06\x00\x00\x00\x02\x00\x00"s, 99, data));          // a short PING
  EXPECT_FALSE(parse("\x80\x03\x00\x01\x00\xff\xff\xff"s, 99, data));                  // 16 MB of headers
  EXPECT_FALSE(parse("\x80\x03\x00\x04\x00\x00\x00\x04\x00\x00\x00\x01"s, 99, data));  // SETTINGS cut off
  EXPECT_FALSE(parse(Writer::data(0, "x", false), 99, data));
}

}  // namespace
}  // namespace fermata::streaming::spdy
