#include "cni/plugin_error.h"

#include "base/text.h"
#include "cni/json_text.h"

namespace fermata::cni {
namespace {

constexpr std::size_t kMaxQuoted = 2048;  // bytes of a plugin's own words in a message

struct ErrorDocument {
  std::uint32_t code = 0;
  std::string message, details;
};

Result<ErrorDocument> parse_document(std::string_view text) {
  TRY(const Json json, oci::parse_bounded_json(text, "error"));
  const Fields fields(json, "");
  ErrorDocument document;
  TRY(fields.require("msg"));
  TRY(fields.read("code", document.code));
  TRY(fields.read("msg", document.message));
  TRY(fields.read("details", document.details));
  return document;
}

// The last bytes, where the reason stands.
std::string last_words(std::string_view text) {
  text = trim(text);
  if (text.size() <= kMaxQuoted) return std::string(text);
  return fmt::format("...{}", text.substr(text.size() - kMaxQuoted));
}

ErrorKind kind_of_code(std::uint32_t code) {
  switch (code) {
    case 1:  // incompatible version
      return ErrorKind::unsupported;
    case 2:  // unsupported field
    case 7:  // invalid network configuration
      return ErrorKind::invalid_argument;
    case kUnknownContainer:
      return ErrorKind::not_found;
    case kTryAgainLater:
    case kNotAvailable:
    case kLimitedConnectivity:
      return ErrorKind::unavailable;
    default:
      return ErrorKind::failed;
  }
}

}  // namespace

PluginError parse_plugin_error(std::string_view output, std::string_view errors, std::string_view end) {
  if (const auto document = parse_document(output)) {
    const std::string_view separator = document->details.empty() ? "" : "; ";
    return {.code = document->code,
            .message = last_words(fmt::format("{}{}{}", document->message, separator, document->details))};
  }
  const std::string said = last_words(trim(errors).empty() ? output : errors);
  return {.message =
              said.empty() ? fmt::format("{}, and said nothing", end) : fmt::format("{}: {}", end, said)};
}

Error to_error(const PluginError& error, std::string_view plugin, std::string_view command) {
  const std::string code = error.code == 0 ? "" : fmt::format(" [code {}]", error.code);
  return {kind_of_code(error.code), 0,
          fmt::format("plugin '{}' ({}): {}{}", plugin, command, error.message, code)};
}

}  // namespace fermata::cni
