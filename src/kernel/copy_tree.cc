#include "kernel/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <map>
#include <string>
#include <utility>

#include "base/files.h"
#include "base/unique_dir.h"

namespace fermata::kernel {
namespace {

class Copier {
 public:
  Result<void> directory(int source, int target);

 private:
  Result<void> entry(int source, int target, const char* name);
  Result<void> regular(int source, int target, const char* name, const struct stat& info);
  Result<void> link(int source, int target, const char* name);

  // Hard links within the tree: (device, inode) -> the first copy, by a descriptor that outlives its
  // directory's.
  std::map<std::pair<dev_t, ino_t>, UniqueFd> linked_;
};

Result<void> copy_bytes(int from, int to) {
  for (;;) {
    // Shares extents or copies in the kernel; across file systems it fails on old ones, then plain copying
    // does.
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, 1u << 30, 0);
    if (copied == 0) return {};
    if (copied < 0) break;
  }
  if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS) return fail(errno, "copy");
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(from, buffer, sizeof buffer);
    if (got == 0) return {};
    if (got < 0) return fail(errno, "read");
    TRY(write_all(to, std::string_view(buffer, static_cast<std::size_t>(got))));
  }
}

// The overlay's own attributes must not travel. What the target's file system cannot keep (ENOTSUP) is left
// out.
Result<void> copy_attributes(int from, int to) {
  char names[65536];
  const ssize_t size = ::flistxattr(from, names, sizeof names);
  if (size < 0) return errno == ENOTSUP ? Result<void>() : fail(errno, "list attributes");
  for (const char* name = names; name < names + size; name += std::char_traits<char>::length(name) + 1) {
    if (std::string_view(name).starts_with("trusted.overlay.")) continue;
    char value[65536];
    const ssize_t length = ::fgetxattr(from, name, value, sizeof value);
    if (length < 0) return fail(errno, "read attribute {}", name);
    if (::fsetxattr(to, name, value, static_cast<std::size_t>(length), 0) != 0 && errno != ENOTSUP)
      return fail(errno, "set attribute {}", name);
  }
  return {};
}

// The owner first: chown clears set-id bits and file capabilities.
Result<void> copy_metadata(int from, int to, const struct stat& info) {
  if (::fchown(to, info.st_uid, info.st_gid) != 0) return fail(errno, "change owner");
  if (::fchmod(to, info.st_mode & 07777) != 0) return fail(errno, "change mode");
  TRY(copy_attributes(from, to));
  const timespec times[] = {info.st_atim, info.st_mtim};
  if (::futimens(to, times) != 0) return fail(errno, "set times");
  return {};
}

Result<void> Copier::regular(int source, int target, const char* name, const struct stat& info) {
  const std::pair key(info.st_dev, info.st_ino);
  if (const auto first = linked_.find(key); first != linked_.end()) {
    const std::string path = "/proc/self/fd/" + std::to_string(first->second.get());
    if (::linkat(AT_FDCWD, path.c_str(), target, name, AT_SYMLINK_FOLLOW) != 0) return fail(errno, "link");
    return {};
  }
  TRY(const UniqueFd from, open_file_at(source, name, O_RDONLY | O_NOFOLLOW));
  TRY(UniqueFd to, open_file_at(target, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
  TRY(copy_bytes(from.get(), to.get()));
  TRY(copy_metadata(from.get(), to.get(), info));
  if (info.st_nlink > 1) linked_[key] = std::move(to);
  return {};
}

Result<void> Copier::link(int source, int target, const char* name) {
  char text[PATH_MAX + 1];
  const ssize_t size = ::readlinkat(source, name, text, PATH_MAX);
  if (size < 0) return fail(errno, "read link");
  text[size] = '\0';
  if (::symlinkat(text, target, name) != 0) return fail(errno, "make link");
  return {};
}

Result<void> Copier::entry(int source, int target, const char* name) {
  struct stat info = {};
  if (::fstatat(source, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return fail(errno, "stat");
  if (S_ISDIR(info.st_mode)) {
    if (::mkdirat(target, name, 0700) != 0 && errno != EEXIST) return fail(errno, "make directory");
    TRY(const UniqueFd from, open_file_at(source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(const UniqueFd to, open_file_at(target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return directory(from.get(), to.get());
  }
  if (::unlinkat(target, name, 0) != 0 && errno != ENOENT) return fail(errno, "replace");
  if (S_ISREG(info.st_mode)) return regular(source, target, name, info);
  if (S_ISLNK(info.st_mode))
    TRY(link(source, target, name));
  else if (::mknodat(target, name, info.st_mode, info.st_rdev) != 0)
    return fail(errno, "make node");
  if (::fchownat(target, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(errno, "change owner");
  if (!S_ISLNK(info.st_mode) && ::fchmodat(target, name, info.st_mode & 07777, 0) != 0)
    return fail(errno, "change mode");
  const timespec times[] = {info.st_atim, info.st_mtim};
  if (::utimensat(target, name, times, AT_SYMLINK_NOFOLLOW) != 0) return fail(errno, "set times");
  return {};
}

Result<void> Copier::directory(int source, int target) {
  struct stat info = {};
  if (::fstat(source, &info) != 0) return fail(errno, "stat");
  // fdopendir takes its descriptor over.
  TRY(UniqueFd listed, open_file_at(source, ".", O_RDONLY | O_DIRECTORY));
  const UniqueDir dir(::fdopendir(listed.get()));
  if (!dir) return fail(errno, "read directory");
  (void)listed.release();
  while (const dirent* item = ::readdir(dir.get())) {
    const std::string_view name = item->d_name;
    if (name == "." || name == "..") continue;
    if (auto copied = entry(source, target, item->d_name); !copied)
      return fail_with(std::move(copied.error()), item->d_name);
  }
  // Last: filling it changed its times.
  return copy_metadata(source, target, info);
}

}  // namespace

Result<void> copy_tree(int source, int target) { return Copier().directory(source, target); }

}  // namespace fermata::kernel
