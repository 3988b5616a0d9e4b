// How much room images and what containers have written take.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/error.h"
#include "pod/tree_size.h"

namespace fermata::cri {

// Thread-safe.
class ImageUsage {
 public:
  // `root`: the store's. What containers have written is measured again after `period`.
  ImageUsage(std::string root, std::chrono::seconds period) : root_(std::move(root)), period_(period) {}

  struct Usage {
    pod::TreeUsage images, containers;
    std::int64_t time = 0;  // ns, when it was measured
  };
  Result<Usage> measure();

 private:
  Result<pod::TreeUsage> measure_layers();

  const std::string root_;
  const std::chrono::seconds period_;
  std::mutex mutex_;                              // held while it measures: who asks meanwhile gets the same
  std::map<std::string, pod::TreeUsage> layers_;  // by name; they never change
  pod::TreeUsage containers_;
  std::chrono::steady_clock::time_point containers_until_;
};

}  // namespace fermata::cri
