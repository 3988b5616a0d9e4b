#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "oci/image_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = fermata::oci::parse_image_config({reinterpret_cast<const char*>(data), size});
  if (config && !fermata::oci::parse_image_config(fermata::oci::serialize_image_config(*config)))
    std::abort();
  return 0;
}
