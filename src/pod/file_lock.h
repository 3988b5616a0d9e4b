// Advisory locks between engines, by open file description (fcntl(2), F_OFD_SETLKW): they end with the
// descriptor, so with the process, and work between threads too.
#pragma once

#include <optional>
#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::pod {

class FileLock {
 public:
  enum class Mode { exclusive, shared };
  // Waits for it. The file is made when it is missing, and may have been removed by a holder before.
  static Result<FileLock> acquire(const std::string& path, Mode mode = Mode::exclusive);
  // nullopt: somebody else holds it.
  static Result<std::optional<FileLock>> try_acquire(const std::string& path, Mode mode = Mode::exclusive);
  // Takes the file away, while it is held exclusively.
  void remove_file() const;

 private:
  FileLock(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  static Result<std::optional<FileLock>> lock(const std::string& path, Mode mode, bool wait);
  UniqueFd fd_;
  std::string path_;
};

}  // namespace fermata::pod
