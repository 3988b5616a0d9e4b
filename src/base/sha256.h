// SHA-256 of a few bytes in memory by libmd, linked in: OpenSSL would have to be loaded. What streams
// by, and what must be proven, goes through image/transfer/digest.h.
#pragma once

#include <string>
#include <string_view>

namespace fermata {

// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace fermata
