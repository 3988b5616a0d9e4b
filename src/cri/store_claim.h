// One daemon for each store, and for each socket.
#pragma once

#include <string>

#include "base/error.h"
#include "base/file_lock.h"

namespace fermata::cri {

class StoreClaim {
 public:
  // Makes `root`. Another daemon has it: ErrorKind::conflict names its pid.
  static Result<StoreClaim> take(const std::string& root);

 private:
  explicit StoreClaim(FileLock lock) : lock_(std::move(lock)) {}
  FileLock lock_;
};

// ErrorKind::conflict: somebody answers at this socket. What nobody answers at may be replaced; something
// that is no socket may not, which is ErrorKind::invalid_argument.
Result<void> check_socket_free(const std::string& path);

}  // namespace fermata::cri
