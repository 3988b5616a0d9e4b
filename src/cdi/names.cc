#include "cdi/names.h"

#include <algorithm>

#include "base/text.h"

namespace fermata::cdi {
namespace {

constexpr std::size_t kMaxVendor = 253;  // a DNS subdomain
constexpr std::size_t kMaxClass = 63;

// Not those of <cctype>, which go by the locale.
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alphanumeric(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

bool is_name(std::string_view text, std::string_view between) {
  return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_alphanumeric(c) || between.find(c) != between.npos; });
}

}  // namespace

bool is_vendor(std::string_view text) {
  return is_name(text, "-_.") && is_letter(text.front()) && text.size() <= kMaxVendor;
}

bool is_class(std::string_view text) {
  return is_name(text, "-_.") && is_letter(text.front()) && text.size() <= kMaxClass;
}

bool is_device(std::string_view text) { return is_name(text, "-_.:"); }

std::optional<DeviceName> parse_device_name(std::string_view text) {
  const auto named = split_once(text, '=');
  if (!named) return std::nullopt;
  const auto kind = split_once(named->first, '/');
  if (!kind || !is_vendor(kind->first) || !is_class(kind->second) || !is_device(named->second))
    return std::nullopt;
  return DeviceName{std::string(kind->first), std::string(kind->second), std::string(named->second)};
}

}  // namespace fermata::cdi
