#include "streaming/spdy_headers.h"

#include <zlib.h>

#include <array>

#include "streaming/big_endian.h"

namespace fermata::streaming {
namespace {

// A few hundred bytes are usual; a block that unpacks to more is an attack.
constexpr std::size_t kMaxHeaders = 64 * 1024;

const Bytef* bytes_of(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

}  // namespace

std::string encode_header_pairs(const SpdyHeaders& headers) {
  std::string bytes;
  append_u32(bytes, static_cast<std::uint32_t>(headers.size()));
  for (const auto& [name, value] : headers) {
    append_u32(bytes, static_cast<std::uint32_t>(name.size()));
    bytes += name;
    append_u32(bytes, static_cast<std::uint32_t>(value.size()));
    bytes += value;
  }
  return bytes;
}

Result<SpdyHeaders> parse_header_pairs(std::string_view bytes) {
  const auto cut_off = [] {
    return fail(ErrorKind::invalid_argument, "SPDY: a header block ends in the middle of a pair");
  };
  const auto take_text = [&bytes](std::string_view& text) {
    if (bytes.size() < 4) return false;
    const std::uint32_t size = read_u32(bytes, 0);
    bytes.remove_prefix(4);
    if (size > bytes.size()) return false;
    text = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return true;
  };
  if (bytes.size() < 4) return cut_off();
  const std::uint32_t count = read_u32(bytes, 0);
  bytes.remove_prefix(4);
  SpdyHeaders headers;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string_view name, value;
    if (!take_text(name) || !take_text(value)) return cut_off();
    if (name.empty()) return fail(ErrorKind::invalid_argument, "SPDY: a header without a name");
    for (const char letter : name)
      if (letter >= 'A' && letter <= 'Z')
        return fail(ErrorKind::invalid_argument, "SPDY: header name '{}' is not in lower case", name);
    if (!headers.emplace(name, value).second)
      return fail(ErrorKind::invalid_argument, "SPDY: header '{}' is there twice", name);
  }
  if (!bytes.empty())
    return fail(ErrorKind::invalid_argument, "SPDY: {} bytes follow a header block", bytes.size());
  return headers;
}

struct HeaderCompressor::State {
  z_stream stream = {};
};

HeaderCompressor::HeaderCompressor() : state_(std::make_unique<State>()) {
  // Header blocks are tiny: the smallest window that holds the dictionary, 2 kB, and little other memory.
  ::deflateInit2(&state_->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY);
  ::deflateSetDictionary(&state_->stream, bytes_of(spdy_dictionary()),
                         static_cast<uInt>(spdy_dictionary().size()));
}

HeaderCompressor::~HeaderCompressor() { ::deflateEnd(&state_->stream); }

std::string HeaderCompressor::compress(const SpdyHeaders& headers) {
  const std::string pairs = encode_header_pairs(headers);
  z_stream& stream = state_->stream;
  stream.next_in = const_cast<Bytef*>(bytes_of(pairs));
  stream.avail_in = static_cast<uInt>(pairs.size());
  std::string block;
  std::array<char, 512> piece;
  // All of the output is there once the buffer is not filled; zlib.h, deflate().
  do {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    ::deflate(&stream, Z_SYNC_FLUSH);
    block.append(piece.data(), piece.size() - stream.avail_out);
  } while (stream.avail_out == 0);
  return block;
}

struct HeaderDecompressor::State {
  z_stream stream = {};
};

HeaderDecompressor::HeaderDecompressor() : state_(std::make_unique<State>()) {
  ::inflateInit(&state_->stream);
}

HeaderDecompressor::~HeaderDecompressor() { ::inflateEnd(&state_->stream); }

Result<SpdyHeaders> HeaderDecompressor::decompress(std::string_view block) {
  z_stream& stream = state_->stream;
  stream.next_in = const_cast<Bytef*>(bytes_of(block));
  stream.avail_in = static_cast<uInt>(block.size());
  std::string pairs;
  std::array<char, 2048> piece;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    int result = ::inflate(&stream, Z_SYNC_FLUSH);
    if (result == Z_NEED_DICT) {
      result = ::inflateSetDictionary(&stream, bytes_of(spdy_dictionary()),
                                      static_cast<uInt>(spdy_dictionary().size()));
      if (result == Z_OK) continue;
    }
    pairs.append(piece.data(), piece.size() - stream.avail_out);
    if (pairs.size() > kMaxHeaders)
      return fail(ErrorKind::invalid_argument, "SPDY: a header block of more than {} bytes", kMaxHeaders);
    // Z_BUF_ERROR: nothing was left to do, which is how an exact fit ends.
    if (result == Z_BUF_ERROR && stream.avail_in == 0) break;
    if (result != Z_OK) return fail(ErrorKind::invalid_argument, "SPDY: a header block is no zlib data");
    if (stream.avail_in == 0 && stream.avail_out != 0) break;
  }
  return parse_header_pairs(pairs);
}

}  // namespace fermata::streaming
