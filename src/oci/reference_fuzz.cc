// What parses must print in a form that parses to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "oci/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = fermata::oci::parse_reference({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const auto second = fermata::oci::parse_reference(first->canonical());
  if (!second || second->canonical() != first->canonical()) std::abort();
  return 0;
}
