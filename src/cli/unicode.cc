#include "cli/unicode.h"

namespace fermata::cli {
namespace {
// Continuation bytes are 10xxxxxx.
bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }
}  // namespace

std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += starts_character(c) ? 1 : 0;
  return count;
}

std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (starts_character(text[i]) && seen++ == count) return text.substr(0, i);
  return text;
}

std::string ellipsis(std::string_view text, std::size_t count) {
  if (count == 0 || character_count(text) <= count) return std::string(text);
  return std::string(first_characters(text, count - 1)) + "…";
}

}  // namespace fermata::cli
