#include "pod/file_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace fermata::pod {

Result<std::optional<FileLock>> FileLock::lock(const std::string& path, Mode mode, bool wait) {
  for (;;) {
    TRY(UniqueFd fd, open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    struct flock request = {};
    request.l_type = mode == Mode::exclusive ? F_WRLCK : F_RDLCK;
    request.l_whence = SEEK_SET;
    while (::fcntl(fd.get(), wait ? F_OFD_SETLKW : F_OFD_SETLK, &request) != 0) {
      if (errno == EINTR) continue;
      if (!wait && (errno == EAGAIN || errno == EACCES)) return std::nullopt;
      return fail(errno, "lock '{}'", path);
    }
    // The holder we waited for may have removed the file: a lock on a nameless file excludes nobody.
    struct stat held = {}, named = {};
    if (::fstat(fd.get(), &held) != 0) return fail(errno, "stat '{}'", path);
    if (::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
      return FileLock(std::move(fd), path);
  }
}

Result<FileLock> FileLock::acquire(const std::string& path, Mode mode) {
  TRY(auto held, lock(path, mode, true));
  return std::move(*held);
}

Result<std::optional<FileLock>> FileLock::try_acquire(const std::string& path, Mode mode) {
  return lock(path, mode, false);
}

void FileLock::remove_file() const { ::unlink(path_.c_str()); }

}  // namespace fermata::pod
