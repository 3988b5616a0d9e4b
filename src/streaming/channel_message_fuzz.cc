// The first byte says the encoding and how large pieces are.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "streaming/channel_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fermata::streaming;
  if (size == 0) return 0;
  ChannelReader reader((data[0] & 1) != 0 ? ChannelEncoding::base64 : ChannelEncoding::binary,
                       (data[0] & 2) != 0);
  const std::size_t step = (data[0] >> 2) + std::size_t{1};
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    if (!reader.feed(piece, piece.back() % 3 == 0)) return 0;
  }
  return 0;
}
