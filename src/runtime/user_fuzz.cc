#include <cstdint>
#include <string_view>

#include "runtime/user.h"

// The first line is the specification; the rest serves as passwd and as group file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = text.find('\n');
  const std::string_view files = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  const auto user = fermata::runtime::resolve_user(text.substr(0, end), files, files, {"audio"});
  return user && user->home.empty() ? -1 : 0;
}
