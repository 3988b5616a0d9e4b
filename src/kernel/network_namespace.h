// Work done inside another network namespace by the calling thread, which comes back. setns(2).
#pragma once

#include <utility>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::kernel {

// The network namespace belongs to the thread, not to the process, so other threads notice nothing.
class NetworkNamespaceVisit {
 public:
  static Result<NetworkNamespaceVisit> enter(int network_namespace);
  NetworkNamespaceVisit(NetworkNamespaceVisit&&) noexcept = default;
  NetworkNamespaceVisit& operator=(NetworkNamespaceVisit&&) = delete;
  // Comes back, on the thread that entered. Aborts when it cannot: whatever this thread did next would happen
  // to the wrong host.
  ~NetworkNamespaceVisit();

 private:
  explicit NetworkNamespaceVisit(UniqueFd home) : home_(std::move(home)) {}
  UniqueFd home_;
};

}  // namespace fermata::kernel
