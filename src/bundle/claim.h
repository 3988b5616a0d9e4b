// What a container takes for itself before it exists, and gives back when it never does.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"
#include "bundle/group.h"
#include "bundle/record.h"
#include "bundle/runtime.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// Waits until no other command works on the container, after `before_waiting` when there is one.
// ErrorKind::not_found when its directory is gone then.
Result<FileLock> lock_container(
    const std::string& directory, const std::string& id,
    const std::function<Result<void>()>& before_waiting = [] { return Result<void>(); });

// Removes the container's directory, unless another took its place. `lock` is what lock_container gave.
Result<void> remove_directory(const std::string& directory, const FileLock& lock);

// The container's directory while it is being made, locked: goes with this object unless it is kept.
class Claim {
 public:
  static Result<Claim> make(const std::string& root, const std::string& directory);
  Claim(Claim&& other) noexcept
      : directory_(std::exchange(other.directory_, {})), lock_(std::move(other.lock_)) {}
  Claim& operator=(Claim&&) = delete;
  ~Claim();
  void keep() { directory_.clear(); }

 private:
  Claim(std::string directory, FileLock lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}
  std::string directory_;
  FileLock lock_;
};

// A new control group with its limits, named in `record` and in the container's directory.
Result<NewGroup> claim_group(const Options& engine, const oci::RuntimeSpec& spec,
                             const std::string& directory, Record* record);
// After a failure, which is the one to tell.
void give_back(NewGroup group, const Record& record);

}  // namespace fermata::bundle
