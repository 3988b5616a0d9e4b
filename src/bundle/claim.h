// What a container takes for itself before it exists, and gives back when it never does.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"
#include "bundle/group.h"
#include "bundle/record.h"
#include "bundle/runtime.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// The container's directory while it is being made: goes with this object unless it is kept.
class Claim {
 public:
  static Result<Claim> make(const std::string& root, const std::string& directory);
  Claim(Claim&& other) noexcept : directory_(std::exchange(other.directory_, {})) {}
  Claim& operator=(Claim&&) = delete;
  ~Claim();
  void keep() { directory_.clear(); }

 private:
  explicit Claim(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;
};

// A new control group with its limits, named in `record` and in the container's directory.
Result<NewGroup> claim_group(const Options& engine, const oci::RuntimeSpec& spec,
                             const std::string& directory, Record* record);
// After a failure, which is the one to tell.
void give_back(NewGroup group, const Record& record);

}  // namespace fermata::bundle
