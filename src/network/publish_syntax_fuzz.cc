#include <cstddef>
#include <cstdint>

#include "network/network.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto mappings = fermata::network::parse_publish(text))
    (void)fermata::network::describe_ports(*mappings, {std::string(text)});
  return 0;
}
