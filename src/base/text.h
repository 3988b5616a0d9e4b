// Text helpers that the standard library lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fermata {

// "a,b,,c" -> {"a","b","","c"}; "" -> {""}. The views point into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
// At the first separator: {"key", "value"}; nullopt when there is none.
std::optional<std::pair<std::string_view, std::string_view>> split_once(std::string_view text,
                                                                        char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
// The whole text, decimal, no sign, no space; nullopt otherwise or when it overflows.
std::optional<std::uint64_t> parse_unsigned(std::string_view text, int base = 10);
std::optional<std::int64_t> parse_signed(std::string_view text);
// Docker's sizes: "64m", "1.5g", "512", "100KB", "1GiB" -> bytes (multiples of 1024). nullopt if malformed.
std::optional<std::uint64_t> parse_size(std::string_view text);
// "12.3MB" (multiples of 1000, docker's table form).
std::string human_size(std::uint64_t bytes);
// Lower-case hexadecimal.
std::string hex(std::string_view bytes);

}  // namespace fermata
