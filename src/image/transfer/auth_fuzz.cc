// What a registry or a token server says about itself: challenges, tokens, refusals.
#include <cstdint>
#include <cstdlib>

#include "image/transfer/auth.h"
#include "image/transfer/refusal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fermata::image;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Challenge& challenge : parse_challenges(text)) {
    if (challenge.scheme.empty()) std::abort();
    const auto url = token_url(challenge, "repository:x:pull", "user");
    // It goes into a request line.
    if (url && url->find_first_of("\r\n ") != std::string::npos) std::abort();
  }
  const auto token = parse_token(text);
  if (token && token->find_first_of("\r\n ") != std::string::npos) std::abort();
  const RegistryError error = parse_registry_error(text);
  if (error.message.find_first_of("\x1b\r\n") != std::string::npos) std::abort();
  (void)is_loopback(host_of(text));
  return 0;
}
