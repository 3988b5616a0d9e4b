// A process that does nothing but be there: systemd makes no scope without one, and takes a scope away when
// it is empty. It holds the place until the process that the scope is for is in it.
#pragma once

#include "base/error.h"

namespace fermata::scope {

class Keeper {
 public:
  // A child of this process, which must have one thread. It ends with the object, at the latest with this
  // process.
  static Result<Keeper> start();
  Keeper(Keeper&& other) noexcept;
  Keeper& operator=(Keeper&&) = delete;
  ~Keeper();
  int pid() const { return pid_; }

 private:
  explicit Keeper(int pid) : pid_(pid) {}
  int pid_;
};

}  // namespace fermata::scope
