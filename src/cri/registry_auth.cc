#include "cri/registry_auth.h"

#include <string_view>

#include "base/base64.h"
#include "base/text.h"

namespace fermata::cri {
namespace {

// Old configuration files give a path too: "https://index.docker.io/v1/".
std::string_view host_of_address(std::string_view address) {
  if (const std::size_t scheme = address.find("://"); scheme != std::string_view::npos)
    address.remove_prefix(scheme + 3);
  return address.substr(0, address.find('/'));
}

bool is_meant_for(std::string_view address, const oci::Reference& image) {
  const std::string_view host = host_of_address(address);
  if (host.empty() || host == image.registry) return true;
  const bool hub = host == "index.docker.io" || host == "registry-1.docker.io";
  return hub && image.registry == "docker.io";
}

}  // namespace

Result<std::optional<image::Credentials>> credentials_of(const v1::AuthConfig& auth,
                                                         const oci::Reference& image) {
  if (!is_meant_for(auth.server_address(), image)) return std::optional<image::Credentials>();
  image::Credentials credentials{.user = auth.username(),
                                 .password = auth.password(),
                                 .identity_token = auth.identity_token(),
                                 .registry_token = auth.registry_token()};
  if (credentials.user.empty() && credentials.password.empty() && !auth.auth().empty()) {
    const auto plain = decode_base64(auth.auth());
    const auto pair = plain ? split_once(*plain, ':') : std::nullopt;
    if (!pair) return fail(ErrorKind::invalid_argument, "auth.auth is not the base64 of user:password");
    credentials.user = pair->first;
    // Some tools pad the password with zeros.
    credentials.password = pair->second.substr(0, pair->second.find('\0'));
  }
  const bool any =
      !credentials.user.empty() || !credentials.identity_token.empty() || !credentials.registry_token.empty();
  return any ? std::optional(std::move(credentials)) : std::nullopt;
}

}  // namespace fermata::cri
