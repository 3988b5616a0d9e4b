#include "kernel/mountinfo.h"

#include "base/text.h"

namespace fermata::kernel {
namespace {

// The kernel writes blanks as \040.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      if (const auto code = parse_unsigned(text.substr(i + 1, 3), 8)) {
        plain += static_cast<char>(*code);
        i += 3;
        continue;
      }
    }
    plain += text[i];
  }
  return plain;
}

}  // namespace

std::optional<MountLine> parse_mount(std::string_view line) {
  // 36 35 98:0 /root /point options [tags...] - type source super-options
  const auto separator = line.find(" - ");
  if (separator == std::string_view::npos) return std::nullopt;
  const auto fields = split(line.substr(0, separator), ' ');
  const auto rest = split(line.substr(separator + 3), ' ');
  if (fields.size() < 6 || rest.size() < 3) return std::nullopt;
  const auto id = parse_unsigned(fields[0]), parent = parse_unsigned(fields[1]);
  if (!id || !parent) return std::nullopt;
  return MountLine{unescape(fields[4]), std::string(rest[0]), std::string(rest[2]), *id, *parent};
}

}  // namespace fermata::kernel
