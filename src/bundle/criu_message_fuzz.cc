// Whatever answers in CRIU's place must be read without leaving it.
#include <cstddef>
#include <cstdint>

#include "bundle/criu_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)fermata::bundle::parse_criu_answer({reinterpret_cast<const char*>(data), size});
  return 0;
}
