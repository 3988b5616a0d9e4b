#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "streaming/spdy_headers.h"

// What is read must be read the same when it is written again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fermata::streaming;
  const auto headers = parse_header_pairs({reinterpret_cast<const char*>(data), size});
  if (!headers) return 0;
  const auto again = HeaderDecompressor().decompress(HeaderCompressor().compress(*headers));
  if (again && *again != *headers) std::abort();
  return 0;
}
