// Identifiers of containers and pods: 64 hexadecimal digits from the kernel's random source, as docker has.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fermata {

inline constexpr std::size_t kIdLength = 64;
std::string random_id();
// The 12 digits that tables show.
inline std::string short_id(std::string_view id) { return std::string(id.substr(0, 12)); }
// `length` random lower-case hexadecimal digits.
std::string random_hex(std::size_t length);

}  // namespace fermata
