// Points at which fermata-init stands still while it makes a container, for the engine to act
// (init::Op::synchronize). They meet at a socket of their own, past the monitor, which waits for nobody.
#pragma once

#include <cstdint>
#include <functional>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::pod {

class Rendezvous {
 public:
  // What is done at a point; `pid`: init's, in our PID namespace. After a failure init goes no further.
  using Act = std::function<Result<void>(std::uint32_t point, int pid)>;
  static Result<Rendezvous> make(Act act);

  // Borrowed: the slot of init's plan.
  int far_end() const { return far_.get(); }
  // Acts whenever init waits, until `answer` (the monitor's socket) can be read. Returns what an act has
  // failed with; the monitor's answer, that init could not go on, is still to be read then.
  Result<void> serve(int answer);

 private:
  Rendezvous(UniqueFd near, UniqueFd far, Act act)
      : near_(std::move(near)), far_(std::move(far)), act_(std::move(act)) {}
  Result<void> meet();

  UniqueFd near_, far_;
  Act act_;
};

}  // namespace fermata::pod
