#include <cstddef>
#include <cstdint>

#include "streaming/terminal_size.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fermata::streaming::TerminalSizeReader reader;
  (void)reader.feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
