#include "cli/runtime_flag.h"

#include <unistd.h>

#include "base/text.h"

namespace fermata::cli {

Result<std::string> find_runtime(std::string_view text, std::string_view path) {
  if (text == "fermata") return std::string();
  if (text.starts_with('/')) return std::string(text);
  if (!text.empty() && text.find('/') == std::string_view::npos) {
    for (const std::string_view directory : split(path, ':')) {
      std::string program = std::string(directory) + "/" + std::string(text);
      if (directory.starts_with('/') && ::access(program.c_str(), X_OK) == 0) return program;
    }
  }
  return fail(
      ErrorKind::invalid_argument,
      "unknown or invalid runtime name: {}: give \"fermata\", the path of an OCI runtime, or the name of "
      "one in PATH",
      text);
}

}  // namespace fermata::cli
