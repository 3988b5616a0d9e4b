#include "cni/namespace_pin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/files.h"

namespace fermata::cni {
namespace {

constexpr std::string_view kPrefix = "fermata-";

std::string pin_path(const std::string& directory, const std::string& id) {
  return fmt::format("{}/{}{}", directory, kPrefix, id);
}

bool is_same(const std::string& path, int network_namespace) {
  struct stat pinned = {}, wanted = {};
  return ::stat(path.c_str(), &pinned) == 0 && ::fstat(network_namespace, &wanted) == 0 &&
         pinned.st_dev == wanted.st_dev && pinned.st_ino == wanted.st_ino;
}

// Attempts that were broken off may have mounted one over the other.
Result<void> unmount_all(const std::string& path) {
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  // EINVAL: nothing is mounted there; umount(2).
  if (errno != EINVAL && errno != ENOENT) return fail(errno, "unmount '{}'", path);
  return {};
}

}  // namespace

Result<std::string> pin_network_namespace(const std::string& directory, const std::string& id,
                                          int network_namespace) {
  const std::string path = pin_path(directory, id);
  if (is_same(path, network_namespace)) return path;
  TRY(make_directories(directory));
  TRY(unmount_all(path));
  TRY(const UniqueFd file, open_file(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0444));
  const std::string source = fmt::format("/proc/thread-self/fd/{}", network_namespace);
  if (::mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0) return path;
  const int error = errno;
  ::unlink(path.c_str());  // the failure to tell is the mount's
  return fail(error, "pin a network namespace at '{}'", path);
}

Result<void> unpin_network_namespace(const std::string& directory, const std::string& id) {
  const std::string path = pin_path(directory, id);
  TRY(unmount_all(path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(errno, "remove '{}'", path);
  return {};
}

Result<std::vector<std::string>> list_pins(const std::string& directory) {
  std::vector<std::string> ids;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    if (const std::string name = entry->path().filename().string(); name.starts_with(kPrefix))
      ids.push_back(name.substr(kPrefix.size()));
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(error.value(), "read directory '{}'", directory);
  return ids;
}

bool is_namespace(const std::string& path) {
  struct statfs info = {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

}  // namespace fermata::cni
