#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cni/configuration.h"
#include "cni/request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fermata::cni;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& network : {parse_network_list(text), parse_network_of_one(text)}) {
    if (!network) continue;
    const auto again = parse_network_list(serialize_network(*network, network->versions.back()));
    if (!again || again->plugins != network->plugins) std::abort();
    for (const Plugin& plugin : network->plugins) {
      const Attachment attachment{.pod = "p", .network_namespace = "/n", .arguments = {}};
      (void)compose_request(Command::add, *network, network->versions.back(), plugin, attachment,
                            std::nullopt);
    }
  }
  return 0;
}
