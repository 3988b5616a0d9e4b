// Advisory locks between engines, by open file description (fcntl(2), F_OFD_SETLKW): they end with the
// descriptor, so with the process, and work between threads too. The file stays; nobody removes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata {

class FileLock {
 public:
  enum class Mode { exclusive, shared };
  // Waits for it. The file is made when it is missing. `byte`: that one alone, so that one file serves for
  // many locks (it need not have that byte); otherwise the whole.
  static Result<FileLock> acquire(const std::string& path, Mode mode = Mode::exclusive,
                                  std::optional<std::int64_t> byte = std::nullopt);
  // nullopt: somebody else holds it.
  static Result<std::optional<FileLock>> try_acquire(const std::string& path, Mode mode = Mode::exclusive,
                                                     std::optional<std::int64_t> byte = std::nullopt);
  // Whether `path` still is the file that is locked: it may have been removed, and made anew.
  bool is_of(const std::string& path) const;

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  static Result<std::optional<FileLock>> lock(const std::string& path, Mode mode,
                                              std::optional<std::int64_t> byte, bool wait);
  UniqueFd fd_;
};

}  // namespace fermata
