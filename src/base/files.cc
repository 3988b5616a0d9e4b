#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/unique_dir.h"

namespace fermata {

Result<UniqueFd> open_file_at(int dir, const std::string& path, int flags, mode_t mode) {
  for (;;) {
    const int fd = ::openat(dir, path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return UniqueFd(fd);
    if (errno != EINTR) return fail(errno, "open '{}'", path);
  }
}

Result<std::string> program_directory() {
  char path[4096];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  if (size < 0) return fail(errno, "find this program's directory through /proc/self/exe");
  const std::string program(path, static_cast<std::size_t>(size));
  return program.substr(0, program.rfind('/'));
}

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
  return open_file_at(AT_FDCWD, path, flags, mode);
}

Result<std::string> read_fd(int fd, std::size_t limit) {
  std::string bytes;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return bytes;
    if (got < 0) {
      if (errno == EINTR) continue;
      return fail(errno, "read");
    }
    if (bytes.size() + static_cast<std::size_t>(got) > limit)
      return fail(ErrorKind::invalid_argument, "larger than {} bytes", limit);
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<std::string> read_file_at(int dir, const std::string& path, std::size_t limit) {
  TRY(const UniqueFd fd, open_file_at(dir, path, O_RDONLY));
  auto bytes = read_fd(fd.get(), limit);
  if (!bytes) return fail_with(std::move(bytes.error()), fmt::format("'{}'", path));
  return bytes;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  return read_file_at(AT_FDCWD, path, limit);
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return fail(errno, "write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> write_file(const std::string& path, std::string_view bytes, mode_t mode, bool durable) {
  // The process id keeps two writers of one file apart; the last rename wins.
  const std::string temporary = fmt::format("{}.{}.new", path, ::getpid());
  auto write_temporary = [&]() -> Result<void> {
    TRY(const UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
    if (auto all = write_all(fd.get(), bytes); !all) return fail_with(std::move(all.error()), path);
    if (::fchmod(fd.get(), mode) != 0) return fail(errno, "chmod '{}'", temporary);
    if (durable && ::fdatasync(fd.get()) != 0) return fail(errno, "sync '{}'", temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(errno, "rename to '{}'", path);
    return {};
  };
  auto written = write_temporary();
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> write_kernel_file(const std::string& path, std::string_view value) {
  TRY(const UniqueFd fd, open_file(path, O_WRONLY));
  if (::write(fd.get(), value.data(), value.size()) < 0)
    return fail(errno, "write '{}' to '{}'", value, path);
  return {};
}

Result<UniqueFd> memory_file(const char* name, std::string_view bytes) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
  if (!file) return fail(errno, "make a file in memory");
  TRY(write_all(file.get(), bytes));
  return file;
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == EEXIST) {
    struct stat info = {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return fail(ENOTDIR, "create directory '{}'", path);
  }
  const auto slash = path.find_last_of('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0)
    return fail(errno, "create directory '{}'", path);
  TRY(make_directories(path.substr(0, slash), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail(errno, "create directory '{}'", path);
  return {};
}

namespace {

// Empties one tree with a bounded number of descriptors and of stack frames, however deep it is: what is
// deeper than kMaxDepth is moved up to the top, for the next pass. Whoever filled it may have meant to make
// it irremovable.
class TreeRemover {
 public:
  TreeRemover(int top, dev_t device) : top_(top), device_(device) {}

  // Everything in `directory` but what it moved to the top.
  Result<void> empty(UniqueFd directory, const std::string& path, int depth);
  // Whether anything was moved since the last question.
  bool moved() { return std::exchange(moved_, false); }

 private:
  static constexpr int kMaxDepth = 64;

  Result<void> remove_directory(int parent, const char* name, const std::string& path, int depth);
  Result<void> move_to_top(int parent, const char* name, const std::string& path);

  int top_;
  dev_t device_;
  std::uint64_t moves_ = 0;
  bool moved_ = false;
};

Result<void> TreeRemover::move_to_top(int parent, const char* name, const std::string& path) {
  for (;;) {
    const std::string place = fmt::format(".moved-{}", moves_++);
    if (::renameat2(parent, name, top_, place.c_str(), RENAME_NOREPLACE) == 0) break;
    if (errno != EEXIST) return fail(errno, "move '{}/{}' up to remove it", path, name);
  }
  moved_ = true;
  return {};
}

Result<void> TreeRemover::remove_directory(int parent, const char* name, const std::string& path, int depth) {
  UniqueFd child(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child) return fail(errno, "remove '{}/{}'", path, name);
  struct stat info = {};
  if (::fstat(child.get(), &info) != 0) return fail(errno, "stat '{}/{}'", path, name);
  if (info.st_dev != device_) return fail(EXDEV, "remove '{}/{}'", path, name);
  if (depth == kMaxDepth) return move_to_top(parent, name, path);
  TRY(empty(std::move(child), path + "/" + name, depth + 1));
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail(errno, "remove '{}/{}'", path, name);
  return {};
}

Result<void> TreeRemover::empty(UniqueFd directory, const std::string& path, int depth) {
  const UniqueDir dir(::fdopendir(directory.get()));
  if (!dir) return fail(errno, "read directory '{}'", path);
  const int fd = directory.release();  // the DIR owns it now
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) return fail(errno, "remove '{}/{}'", path, name);
    TRY(remove_directory(fd, entry->d_name, path, depth));
  }
  return {};
}

}  // namespace

Result<void> remove_tree(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  const UniqueFd top(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!top) {
    if (errno == ENOENT) return {};
    return fail(errno, "remove '{}'", path);
  }
  struct stat info = {};
  if (::fstat(top.get(), &info) != 0) return fail(errno, "stat '{}'", path);
  TreeRemover remover(top.get(), info.st_dev);
  do {
    UniqueFd directory(::openat(top.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory && errno == ENOENT) return {};  // somebody else was quicker
    if (!directory) return fail(errno, "remove '{}'", path);
    TRY(remover.empty(std::move(directory), path, 0));
  } while (remover.moved());
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return fail(errno, "remove '{}'", path);
  return {};
}

}  // namespace fermata
