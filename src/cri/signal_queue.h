// Signals as something to wait for. By handlers, not by a blocked mask or by ignoring: both would be passed
// on to every program that is started; execve(2).
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::cri {

class SignalQueue {
 public:
  // SIGPIPE comes to nothing from here on, too. One at a time.
  static Result<SignalQueue> open(std::initializer_list<int> signals);

  // nullopt: none came in time. Without a time it waits.
  Result<std::optional<int>> next(std::optional<std::chrono::milliseconds> timeout) const;

 private:
  explicit SignalQueue(UniqueFd reader) : reader_(std::move(reader)) {}
  UniqueFd reader_;
};

}  // namespace fermata::cri
