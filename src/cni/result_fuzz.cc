#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cni/plugin_error.h"
#include "cni/request.h"
#include "cni/result.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fermata::cni;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_plugin_error(text, text, "exit status 1");
  (void)parse_supported_versions(text);
  for (const Version& version : {kFirstVersion, kNewestVersion}) {
    const auto result = parse_result(text, version);
    if (!result) continue;
    (void)result->pod_ips();
    const auto again = parse_result(serialize_result(*result, kNewestVersion), kNewestVersion);
    if (!again || *again != *result) std::abort();
    if (!parse_result(serialize_result(*result, kFirstWithChains), kNewestVersion)) std::abort();
    if (!parse_result(serialize_result(*result, kFirstVersion), kNewestVersion)) std::abort();
  }
  return 0;
}
