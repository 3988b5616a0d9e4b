#include <cstddef>
#include <cstdint>

#include "image/transfer/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = fermata::image::parse_manifest({reinterpret_cast<const char*>(data), size});
  if (parsed)
    if (const auto* index = std::get_if<fermata::image::Index>(&*parsed))
      (void)fermata::image::choose_platform(*index, "amd64");
  return 0;
}
