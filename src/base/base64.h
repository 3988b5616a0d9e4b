// Bytes as text of the 64 digits of RFC 4648, section 4.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fermata {

std::string encode_base64(std::string_view bytes);
// With or without the padding; nullopt at any other character.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace fermata
