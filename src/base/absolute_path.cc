#include "base/absolute_path.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace fermata {

Result<std::string> absolute_path(const std::string& path) {
  if (path.empty() || path.starts_with('/')) return path;
  const std::unique_ptr<char, decltype(&std::free)> here(::getcwd(nullptr, 0), &std::free);
  if (!here) return fail(errno, "find the working directory");
  return fmt::format("{}/{}", here.get(), path);
}

}  // namespace fermata
