// Numbers in the byte order of networks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fermata::streaming {

inline void append_u16(std::string& to, std::uint32_t number) {
  to += static_cast<char>(number >> 8 & 0xff);
  to += static_cast<char>(number & 0xff);
}

inline void append_u32(std::string& to, std::uint32_t number) {
  append_u16(to, number >> 16);
  append_u16(to, number & 0xffff);
}

// The bytes at `at` must be there.
inline std::uint32_t read_u32(std::string_view from, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = at; i < at + 4; ++i) number = number << 8 | static_cast<unsigned char>(from[i]);
  return number;
}

}  // namespace fermata::streaming
