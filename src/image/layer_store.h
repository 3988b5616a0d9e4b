// The directories of the store. A work directory lives as long as the flock on it: what is not locked is a
// dead process's.
#pragma once

#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::image {

// Guards layers/ and tmp/ for the short moments in which they change; held across processes.
Result<UniqueFd> lock_layers(const std::string& root);

class WorkDirectory {
 public:
  static Result<WorkDirectory> create(const std::string& root);
  WorkDirectory(WorkDirectory&&) = default;
  ~WorkDirectory();
  const std::string& path() const { return path_; }

 private:
  WorkDirectory(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
};

// The directory name of a chain: its first 16 digits.
std::string layer_name(const std::string& chain);
// Call with lock_layers held.
Result<void> remove_dead_work(const std::string& root);

}  // namespace fermata::image
