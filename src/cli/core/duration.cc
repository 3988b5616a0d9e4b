#include "cli/core/duration.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fermata::cli {

std::optional<std::int64_t> parse_duration(std::string_view text) {
  constexpr struct {
    std::string_view name;
    double nanoseconds;
  } kUnits[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  if (text == "0") return 0;
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    double number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + digits, number);
    if (digits == 0 || failed != std::errc() || end != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    const std::size_t length = std::min(text.find_first_of("0123456789."), text.size());
    double unit = 0;
    for (const auto& row : kUnits)
      if (row.name == text.substr(0, length)) unit = row.nanoseconds;
    if (unit == 0) return std::nullopt;
    total += number * unit;
    text.remove_prefix(length);
  }
  if (!(total < 9.2e18)) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(total));
}

}  // namespace fermata::cli
