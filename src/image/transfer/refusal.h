// What a registry's refusal means, in the words that docker's and podman's users know. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "image/transfer/http.h"
#include "oci/reference.h"

namespace fermata::image {

struct RegistryError {
  std::string code;     // "MANIFEST_UNKNOWN", "" when the body has none
  std::string message;  // printable, one line, bounded
};
// The body of a refusal (distribution-spec, "Error Codes"), or nothing. Foreign bytes.
RegistryError parse_registry_error(std::string_view body);
// Is this HTML, by its type or its first character?
bool is_web_page(const HttpAnswer& answer);
tl::unexpected<Error> web_page_error(const HttpAnswer& answer);
enum class Wanted { manifest, blob };
// An answer that is not 200. `authenticated`: with the user's own credentials.
tl::unexpected<Error> refusal(const oci::Reference& reference, const HttpAnswer& answer, Wanted wanted,
                              bool authenticated);

}  // namespace fermata::image
