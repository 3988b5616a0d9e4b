// Frames and header blocks, in pieces whose size the first byte says.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "streaming/spdy_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] + std::size_t{1};
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  fermata::streaming::spdy::Parser parser;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    parser.feed(bytes.substr(0, step));
    for (fermata::streaming::spdy::Frame frame;;) {
      const auto more = parser.next(frame);
      if (!more) return 0;
      if (!*more) break;
    }
  }
  return 0;
}
