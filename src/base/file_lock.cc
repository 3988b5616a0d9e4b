#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace fermata {

Result<std::optional<FileLock>> FileLock::lock(const std::string& path, Mode mode,
                                               std::optional<std::int64_t> byte, bool wait) {
  TRY(UniqueFd fd, open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct flock request = {};
  request.l_type = mode == Mode::exclusive ? F_WRLCK : F_RDLCK;
  request.l_whence = SEEK_SET;
  request.l_start = byte.value_or(0);
  request.l_len = byte ? 1 : 0;
  while (::fcntl(fd.get(), wait ? F_OFD_SETLKW : F_OFD_SETLK, &request) != 0) {
    if (errno == EINTR) continue;
    if (!wait && (errno == EAGAIN || errno == EACCES)) return std::nullopt;
    return fail(errno, "lock '{}'", path);
  }
  return FileLock(std::move(fd));
}

bool FileLock::is_of(const std::string& path) const {
  struct stat locked = {}, present = {};
  return ::fstat(fd_.get(), &locked) == 0 && ::stat(path.c_str(), &present) == 0 &&
         locked.st_dev == present.st_dev && locked.st_ino == present.st_ino;
}

Result<FileLock> FileLock::acquire(const std::string& path, Mode mode, std::optional<std::int64_t> byte) {
  TRY(auto held, lock(path, mode, byte, true));
  return std::move(*held);
}

Result<std::optional<FileLock>> FileLock::try_acquire(const std::string& path, Mode mode,
                                                      std::optional<std::int64_t> byte) {
  return lock(path, mode, byte, false);
}

}  // namespace fermata
