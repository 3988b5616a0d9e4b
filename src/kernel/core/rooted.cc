#include "kernel/core/rooted.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>

#include <cerrno>
#include <cstddef>

#include "base/core/unique_fd.h"
#include "kernel/core/raw.h"

namespace fermata::kernel {
namespace {

constexpr int kMaxDangling = 8;  // links whose targets are made, one leading to the next
constexpr std::uint64_t kFindDirectory = O_PATH | O_DIRECTORY;

// A path under construction. Overflow is remembered and reported once.
class PathBuffer {
 public:
  void append(const char* text, std::size_t size) {
    if (size_ + size + 1 > sizeof bytes_) {
      overflow_ = true;
      return;
    }
    for (std::size_t i = 0; i < size; ++i) bytes_[size_ + i] = text[i];
    size_ += size;
    bytes_[size_] = 0;
  }
  void append(const char* text) {
    std::size_t size = 0;
    while (text[size] != 0) ++size;
    append(text, size);
  }
  const char* c_str() const { return bytes_; }
  bool overflow() const { return overflow_; }

 private:
  char bytes_[PATH_MAX] = {0};
  std::size_t size_ = 0;
  bool overflow_ = false;
};

bool is_dots(const char* name, std::size_t size) {
  return size == 0 || (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.');
}

// The path that the symlink `name` in `parent` stands for; `prefix` is the parent's path. -EINVAL: no
// symlink.
int read_dangling(int parent, const char* prefix, const char* name, PathBuffer* target) {
  char link[PATH_MAX];
  const long size = raw::call(SYS_readlinkat, parent, name, link, sizeof link);
  if (size < 0) return static_cast<int>(size);
  if (link[0] != '/') {
    target->append(prefix);
    target->append("/", 1);
  }
  target->append(link, static_cast<std::size_t>(size));
  return target->overflow() ? -ENAMETOOLONG : 0;
}

int make_directory(int root, const char* path, std::uint32_t mode, int depth);

// One component below `prefix`, which exists and is open as `parent`; `whole` is prefix/name.
int make_component(int root, int parent, const char* prefix, const char* name, const char* whole,
                   std::uint32_t mode, int depth) {
  const long made = raw::call(SYS_mkdirat, parent, name, mode);
  if (made < 0 && made != -EEXIST) return static_cast<int>(made);
  const int fd = rooted_open(root, whole, kFindDirectory);
  if (fd != -ENOENT) return fd;
  if (depth == 0) return -ELOOP;
  PathBuffer target;
  if (const int error = read_dangling(parent, prefix, name, &target); error < 0) return error;
  return make_directory(root, target.c_str(), mode, depth - 1);
}

// Most often only the last one is missing: one look tells, instead of one at each component. -ENOENT: more
// is.
int make_last_component(int root, const char* path, std::uint32_t mode, int depth) {
  const char* name = path;
  for (const char* at = path; *at != 0; ++at)
    if (*at == '/') name = at + 1;
  std::size_t size = 0;
  while (name[size] != 0) ++size;
  if (is_dots(name, size) || name == path) return -ENOENT;
  PathBuffer prefix;
  prefix.append(path, static_cast<std::size_t>(name - path) - 1);
  if (prefix.overflow()) return -ENAMETOOLONG;
  const UniqueFd parent(rooted_open(root, *prefix.c_str() == 0 ? "/" : prefix.c_str(), kFindDirectory));
  if (!parent) return parent.get();  // -errno
  return make_component(root, parent.get(), prefix.c_str(), name, path, mode, depth);
}

int make_directory(int root, const char* path, std::uint32_t mode, int depth) {
  if (const int fd = rooted_open(root, path, kFindDirectory); fd != -ENOENT) return fd;
  if (const int fd = make_last_component(root, path, mode, depth); fd != -ENOENT) return fd;
  UniqueFd parent(rooted_open(root, "/", kFindDirectory));
  if (!parent) return parent.get();  // -errno
  PathBuffer prefix;
  while (*path != 0) {
    while (*path == '/') ++path;
    std::size_t size = 0;
    while (path[size] != 0 && path[size] != '/') ++size;
    if (size == 0) break;
    PathBuffer name;
    name.append(path, size);
    PathBuffer whole = prefix;
    whole.append("/", 1);
    whole.append(path, size);
    if (whole.overflow()) return -ENAMETOOLONG;
    int next = rooted_open(root, whole.c_str(), kFindDirectory);
    if (next == -ENOENT)
      next = make_component(root, parent.get(), prefix.c_str(), name.c_str(), whole.c_str(), mode, depth);
    if (next < 0) return next;
    parent.reset(next);
    prefix = whole;
    path += size;
  }
  return parent.release();
}

int make_file(int root, const char* path, std::uint32_t mode, int depth) {
  if (const int fd = rooted_open(root, path, O_PATH); fd != -ENOENT) return fd;
  const char* name = nullptr;
  const UniqueFd parent(rooted_parent(root, path, &name));
  if (!parent) return parent.get();  // -errno
  // Nothing of the file is wanted but its existence; O_NONBLOCK, for it may turn out to be a FIFO.
  const int made = rooted_open(root, path, O_CREAT | O_RDONLY | O_NONBLOCK | O_NOCTTY, mode);
  if (made >= 0) {
    const UniqueFd close_it(made);
    return rooted_open(root, path, O_PATH);
  }
  if (made != -ENOENT) return made;
  if (depth == 0) return -ELOOP;
  PathBuffer prefix;
  prefix.append(path, static_cast<std::size_t>(name - path));
  PathBuffer target;
  if (const int error = read_dangling(parent.get(), prefix.c_str(), name, &target); error < 0) return error;
  return make_file(root, target.c_str(), mode, depth - 1);
}

}  // namespace

int rooted_open(int root, const char* path, std::uint64_t flags, std::uint32_t mode, std::uint64_t resolve) {
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;
  for (int tries = 0;; ++tries) {
    const long fd = raw::call(SYS_openat2, root, path, &how, sizeof how);
    // EAGAIN: a rename raced with ".."; the man page lets the caller retry.
    if (fd == -EINTR || (fd == -EAGAIN && tries < 32)) continue;
    return static_cast<int>(fd);
  }
}

int rooted_make_directory(int root, const char* path, std::uint32_t mode) {
  return make_directory(root, path, mode, kMaxDangling);
}

int rooted_make_file(int root, const char* path, std::uint32_t mode) {
  return make_file(root, path, mode, kMaxDangling);
}

int rooted_parent(int root, const char* path, const char** name) {
  const char* last = path;
  std::size_t size = 0;
  for (; path[size] != 0; ++size)
    if (path[size] == '/') last = path + size + 1;
  if (is_dots(last, static_cast<std::size_t>(path + size - last))) return -EINVAL;
  *name = last;
  PathBuffer parent;
  parent.append(path, static_cast<std::size_t>(last - path));
  if (parent.overflow()) return -ENAMETOOLONG;
  return make_directory(root, *parent.c_str() == 0 ? "/" : parent.c_str(), 0755, kMaxDangling);
}

}  // namespace fermata::kernel
