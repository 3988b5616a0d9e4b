// Whatever comes as an answer must be read without leaving it.
#include <cstddef>
#include <cstdint>

#include "kernel/conntrack.h"
#include "kernel/netlink.h"
#include "kernel/nftables.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fermata::kernel;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (const auto message = take_message(rest)) {
    std::string_view attributes = message->payload;
    while (const auto attribute = take_attribute(attributes)) (void)as_text(attribute->value);
    (void)parse_flow(message->payload);
    (void)parse_nft_chain(message->payload);
    (void)parse_nft_rule(message->payload);
  }
  return 0;
}
