#include "streaming/terminal_size.h"

#include <nlohmann/json.hpp>

namespace fermata::streaming {
namespace {

constexpr std::size_t kMaxDocument = 1024;

Result<TerminalSize> parse_size_document(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object())
    return fail(ErrorKind::invalid_argument, "resize: not a JSON object: '{}'", text);
  TerminalSize size;
  for (const auto& [key, target] : {std::pair{"Width", &size.columns}, std::pair{"Height", &size.rows}}) {
    const auto found = json.find(key);
    if (found == json.end()) continue;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > UINT16_MAX)
      return fail(ErrorKind::invalid_argument, "resize: {} is no number from 0 to 65535: '{}'", key, text);
    *target = found->get<std::uint16_t>();
  }
  return size;
}

}  // namespace

Result<std::optional<TerminalSize>> TerminalSizeReader::feed(std::string_view bytes) {
  std::optional<TerminalSize> last;
  for (const char byte : bytes) {
    // There is no '}' within: the objects are flat, and their keys are known.
    if (document_.empty() && (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t')) continue;
    document_ += byte;
    if (document_.size() > kMaxDocument)
      return fail(ErrorKind::invalid_argument, "resize: a document of more than {} bytes", kMaxDocument);
    if (byte != '}') continue;
    TRY(last, parse_size_document(document_));
    document_.clear();
  }
  return last;
}

}  // namespace fermata::streaming
