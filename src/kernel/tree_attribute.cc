// Every file is named as <descriptor of its directory>/<its name>, with the calls that follow no symlink. So
// whoever renames or links files in there meanwhile can only have others of that directory labelled.
#include "kernel/tree_attribute.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/unique_dir.h"

namespace fermata::kernel {
namespace {

constexpr std::size_t kMaxValue = 65536;  // XATTR_SIZE_MAX
// Each level costs a descriptor and stack, and whoever makes the tree may be no friend.
constexpr int kMaxDepth = 400;

std::string fd_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// For messages: where it is now.
std::string shown(int directory, std::string_view name) {
  std::string path(4096, '\0');
  const ssize_t size = ::readlink(fd_path(directory).c_str(), path.data(), path.size());
  path.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return name.empty() ? path : fmt::format("{}/{}", path, name);
}

// SELinux ends its labels with a zero, which nobody writes.
std::string_view without_end(std::string_view value) {
  return value.ends_with('\0') ? value.substr(0, value.size() - 1) : value;
}

class Labeller {
 public:
  Labeller(const std::string& attribute, std::string_view value) : attribute_(attribute), value_(value) {}

  // Everything in a directory, which is taken over and is so deep in the tree.
  Result<void> content(UniqueFd directory, int depth) const;
  // False: it is gone, or its file system has no such attributes.
  Result<bool> set(int directory, std::string_view name) const;

 private:
  Result<void> entry(int directory, const dirent& entry, int depth) const;

  const std::string& attribute_;
  const std::string_view value_;
};

Result<bool> Labeller::set(int directory, std::string_view name) const {
  // The tree itself is no symlink, but its path below /proc is one.
  const bool itself = name.empty();
  const std::string path = itself ? fd_path(directory) : fmt::format("{}/{}", fd_path(directory), name);
  char present[1024];  // a longer one is another
  const ssize_t size =
      (itself ? ::getxattr : ::lgetxattr)(path.c_str(), attribute_.c_str(), present, sizeof present);
  if (size >= 0 && without_end({present, static_cast<std::size_t>(size)}) == value_) return true;
  if ((itself ? ::setxattr : ::lsetxattr)(path.c_str(), attribute_.c_str(), value_.data(), value_.size(),
                                          0) == 0)
    return true;
  if (errno == ENOTSUP || (errno == ENOENT && !itself)) return false;
  return fail(errno, "set {} of '{}' to '{}'", attribute_, shown(directory, name), value_);
}

Result<void> Labeller::entry(int directory, const dirent& entry, int depth) const {
  TRY(const bool done, set(directory, entry.d_name));
  if (!done || (entry.d_type != DT_DIR && entry.d_type != DT_UNKNOWN)) return {};
  UniqueFd child(::openat(directory, entry.d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (child) return content(std::move(child), depth + 1);
  // No directory, after all.
  if (errno == ENOTDIR || errno == ELOOP || errno == ENOENT) return {};
  return fail(errno, "open '{}'", shown(directory, entry.d_name));
}

Result<void> Labeller::content(UniqueFd directory, int depth) const {
  if (depth > kMaxDepth)
    return fail(ErrorKind::unsupported, "'{}' is more than {} directories deep", shown(directory.get(), ""),
                kMaxDepth);
  // fdopendir takes its descriptor over.
  const UniqueDir list(::fdopendir(directory.get()));
  if (!list) return fail(errno, "read '{}'", shown(directory.get(), ""));
  const int fd = directory.release();
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(list.get());
    if (found == nullptr && errno != 0) return fail(errno, "read '{}'", shown(fd, ""));
    if (found == nullptr) return {};
    const std::string_view name = found->d_name;
    if (name != "." && name != "..") TRY(entry(fd, *found, depth));
  }
}

}  // namespace

Result<std::string> read_attribute(int fd, const std::string& attribute) {
  std::string value(kMaxValue, '\0');
  const ssize_t size = ::getxattr(fd_path(fd).c_str(), attribute.c_str(), value.data(), value.size());
  if (size < 0 && (errno == ENODATA || errno == ENOTSUP)) return std::string();
  if (size < 0) return fail(errno, "read {} of '{}'", attribute, shown(fd, ""));
  return std::string(without_end({value.data(), static_cast<std::size_t>(size)}));
}

Result<void> set_tree_attribute(int tree, const std::string& attribute, std::string_view value) {
  const Labeller labeller(attribute, value);
  // Opened anew: an O_PATH descriptor cannot be read.
  UniqueFd directory(::open(fd_path(tree).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory && errno != ENOTDIR) return fail(errno, "open '{}'", shown(tree, ""));
  if (directory) TRY(labeller.content(std::move(directory), 0));
  TRY(labeller.set(tree, ""));
  return {};
}

}  // namespace fermata::kernel
