// Header blocks of SPDY/3: name/value pairs, zlib-compressed with the specification's dictionary, in one
// stream of compression for each direction of a connection (SPDY Protocol, draft 3.1, section 2.6.10). Pure.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::streaming {

// Names are in lower case. Several values of one name are separated by NUL.
using SpdyHeaders = std::map<std::string, std::string, std::less<>>;

// The dictionary, whose Adler-32 is 0xe3c6a7c2.
std::string_view spdy_dictionary();

// The pairs of a block, before compression and after decompression.
std::string encode_header_pairs(const SpdyHeaders& headers);
Result<SpdyHeaders> parse_header_pairs(std::string_view bytes);

class HeaderCompressor {
 public:
  HeaderCompressor();
  ~HeaderCompressor();
  HeaderCompressor(const HeaderCompressor&) = delete;
  HeaderCompressor& operator=(const HeaderCompressor&) = delete;
  std::string compress(const SpdyHeaders& headers);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class HeaderDecompressor {
 public:
  HeaderDecompressor();
  ~HeaderDecompressor();
  HeaderDecompressor(const HeaderDecompressor&) = delete;
  HeaderDecompressor& operator=(const HeaderDecompressor&) = delete;
  // Every block must be given, in order. After an error the connection cannot go on.
  Result<SpdyHeaders> decompress(std::string_view block);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fermata::streaming
