#include "runtime/overlay_options.h"

#include <fmt/format.h>

#include <string_view>

#include "runtime/mount_options.h"

namespace fermata::runtime {
namespace {

// Overlay reads ':' and ',' as separators and '\' as the escape.
std::string escaped(std::string_view path) {
  std::string result;
  for (const char c : path) {
    if (c == ':' || c == ',' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

Result<std::string> overlay_options(const oci::RuntimeSpec::Overlay& overlay, std::string_view label) {
  std::string data = "lowerdir=";
  for (std::size_t i = 0; i < overlay.lower.size(); ++i) {
    if (i > 0) data += ':';
    data += escaped(overlay.lower[i]);
  }
  if (!overlay.upper.empty())
    data += fmt::format(",upperdir={},workdir={}", escaped(overlay.upper), escaped(overlay.work));
  // An index would refuse the same upper directory after a crash, and needs file handles of the lower ones.
  data += ",index=off";
  // In quotes, for the commas between categories.
  if (!label.empty()) data += fmt::format(",context=\"{}\"", label);
  if (data.size() > kMaxMountData)
    return fail(ErrorKind::unsupported,
                "{} layers are too many for one overlay mount ({} bytes of options, at most {})",
                overlay.lower.size(), data.size(), kMaxMountData);
  return data;
}

}  // namespace fermata::runtime
