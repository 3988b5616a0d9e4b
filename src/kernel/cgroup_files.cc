#include "kernel/cgroup_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "kernel/cgroup_limits.h"

namespace fermata::kernel {

bool has_file(const std::string& directory, std::string_view file) {
  return !directory.empty() && ::access(fmt::format("{}/{}", directory, file).c_str(), F_OK) == 0;
}

Result<void> set_limit(const std::string& directory, std::string_view file, const std::string& value) {
  if (directory.empty())
    return fail(ErrorKind::unsupported, "set {} to '{}': the host has no such controller", file, value);
  auto written = write_kernel_file(fmt::format("{}/{}", directory, file), value);
  if (!written && written.error().error_number() == ENOENT)
    return fail(ErrorKind::unsupported,
                "set {} to '{}' in '{}': the kernel or its delegation does not offer it", file, value,
                directory);
  return written;
}

Result<LimitFile> LimitFile::open(const std::string& directory, std::string_view file) {
  std::string path = fmt::format("{}/{}", directory, file);
  auto fd = open_file(path, O_WRONLY);
  if (!fd && fd.error().error_number() == ENOENT)
    return fail(ErrorKind::unsupported, "set {} in '{}': the kernel or its delegation does not offer it",
                file, directory);
  if (!fd) return tl::unexpected(std::move(fd.error()));
  return LimitFile(std::move(*fd), std::move(path));
}

Result<void> LimitFile::set(const std::string& value) const {
  // At the start each time: such a file in a test's directory is an ordinary one.
  if (::pwrite(fd_.get(), value.data(), value.size(), 0) < 0)
    return fail(errno, "write '{}' to '{}'", value, path_);
  return {};
}

Result<void> set_together(const std::string& directory, std::vector<Setting> settings) {
  while (!settings.empty()) {
    std::vector<Setting> refused;
    std::optional<Error> reason;
    for (auto& setting : settings) {
      auto written = set_limit(directory, setting.file, setting.value);
      if (written) continue;
      if (written.error().error_number() != EINVAL) return written;
      if (!reason) reason = std::move(written.error());
      refused.push_back(std::move(setting));
    }
    // Nothing was accepted since: there is no order in which they could be.
    if (refused.size() == settings.size()) return tl::unexpected<Error>(std::move(*reason));
    settings = std::move(refused);
  }
  return {};
}

std::optional<std::uint64_t> read_number(const std::string& directory, std::string_view file) {
  if (directory.empty()) return std::nullopt;
  const auto text = read_file(fmt::format("{}/{}", directory, file));
  if (!text) return std::nullopt;
  const auto number = trim(*text);
  return number == "max" ? kNoLimit : parse_unsigned(number);
}

std::optional<std::uint64_t> read_keyed(const std::string& directory, std::string_view file,
                                        std::string_view key) {
  if (directory.empty()) return std::nullopt;
  const auto text = read_file(fmt::format("{}/{}", directory, file));
  if (!text) return std::nullopt;
  for (const auto line : split(*text, '\n'))
    if (const auto pair = split_once(line, ' '); pair && pair->first == key)
      return parse_unsigned(pair->second);
  return std::nullopt;
}

}  // namespace fermata::kernel
