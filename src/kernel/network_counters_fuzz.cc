#include <cstddef>
#include <cstdint>

#include "kernel/network_counters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(fermata::kernel::parse_interface_counters({reinterpret_cast<const char*>(data), size}));
  return 0;
}
