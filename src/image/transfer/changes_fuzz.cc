#include <cstddef>
#include <cstdint>

#include "image/transfer/changes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fermata::oci::ImageConfig config;
  (void)fermata::image::apply_change(config, {reinterpret_cast<const char*>(data), size});
  return 0;
}
