// Characters of UTF-8 text, as far as tables need them: counted, not measured.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fermata::cli {

std::size_t character_count(std::string_view text);
std::string_view first_characters(std::string_view text, std::size_t count);
// At most `count` characters, the last one "…" when something was left out.
std::string ellipsis(std::string_view text, std::size_t count);

}  // namespace fermata::cli
