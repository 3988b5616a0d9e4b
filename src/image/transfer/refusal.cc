#include "image/transfer/refusal.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace fermata::image {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kMaxMessage = 300;
constexpr std::size_t kMaxBody = 64u << 10;

// It goes to the user's terminal.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, kMaxMessage));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  return out;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get_ref<const std::string&>()) : "";
}

// ": denied: requested access to the resource is denied"
std::string detail(const HttpAnswer& answer, const RegistryError& error) {
  std::string out;
  if (is_web_page(answer)) return ": " + web_page_error(answer).value().message();
  if (!error.code.empty()) out += ": " + to_lower(error.code);
  if (!error.message.empty()) out += ": " + error.message;
  return out;
}

tl::unexpected<Error> missing(const oci::Reference& reference, const HttpAnswer& answer,
                              const RegistryError& error, Wanted wanted) {
  if (wanted == Wanted::blob) return fail(ErrorKind::not_found, "blob unknown to registry {}", answer.host);
  if (error.code == "NAME_UNKNOWN")
    return fail(ErrorKind::not_found, "repository {} not found: name unknown: {}",
                reference.familiar_repository(), error.message);
  const std::string more = is_web_page(answer) ? detail(answer, error) : "";
  return fail(ErrorKind::not_found, "manifest for {} not found: manifest unknown{}", reference.familiar(),
              more);
}

}  // namespace

RegistryError parse_registry_error(std::string_view body) {
  if (body.size() > kMaxBody) return {};
  const Json document = Json::parse(body, nullptr, false);
  if (!document.is_object()) return {};
  const auto errors = document.find("errors");
  if (errors == document.end() || !errors->is_array() || errors->empty() || !errors->front().is_object())
    return {"", text_of(document, "message")};
  return {text_of(errors->front(), "code"), text_of(errors->front(), "message")};
}

bool is_web_page(const HttpAnswer& answer) {
  return answer.content_type == "text/html" || answer.content_type == "application/xhtml+xml" ||
         trim(answer.body).starts_with("<");
}

tl::unexpected<Error> web_page_error(const HttpAnswer& answer) {
  return fail(ErrorKind::failed, "the registry at {} answered with a web page, not with an image manifest",
              answer.host);
}

tl::unexpected<Error> refusal(const oci::Reference& reference, const HttpAnswer& answer, Wanted wanted,
                              bool authenticated) {
  const RegistryError error = parse_registry_error(answer.body);
  switch (answer.status) {
    case 401:
      if (authenticated) return fail(ErrorKind::permission, "unauthorized: authentication required");
      [[fallthrough]];
    case 403:
      return fail(ErrorKind::permission,
                  "pull access denied for {}, repository does not exist or may require authorization{}",
                  reference.familiar_repository(), detail(answer, error));
    case 404:
      return missing(reference, answer, error, wanted);
    case 429:
      return fail(ErrorKind::unavailable, "toomanyrequests: {}",
                  error.message.empty() ? answer.host + " limits how often it is asked" : error.message);
    default:
      return fail(answer.status >= 500 ? ErrorKind::unavailable : ErrorKind::failed,
                  "received unexpected HTTP status: {}{}", status_text(answer.status),
                  is_web_page(answer) ? "" : detail(answer, error));
  }
}

}  // namespace fermata::image
