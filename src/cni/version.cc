#include "cni/version.h"

#include <fmt/format.h>

#include "base/text.h"

namespace fermata::cni {

std::optional<Version> parse_version(std::string_view text) {
  const auto parts = split(text, '.');
  Version version;
  if (parts.size() != version.size()) return std::nullopt;
  for (std::size_t i = 0; i < version.size(); ++i) {
    const auto number = parse_unsigned(parts[i]);
    if (!number || *number > 9999) return std::nullopt;
    version[i] = static_cast<std::uint32_t>(*number);
  }
  return version;
}

std::string format_version(const Version& version) {
  return fmt::format("{}.{}.{}", version[0], version[1], version[2]);
}

}  // namespace fermata::cni
