// Carries a session's streams between the container and this process, until the process ends or the user
// detaches.
#pragma once

#include <functional>
#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "pod/engine.h"

namespace fermata::cli {

// From construction to destruction, signals of the list are noted instead of delivered; one object at a time.
// Handlers, not a blocked mask, so that programs started meanwhile do not inherit it.
class SignalNotes {
 public:
  static Result<SignalNotes> install(
      bool forwarded);  // forwarded: HUP, INT, QUIT, TERM, USR1, USR2, ALRM beside WINCH
  SignalNotes(SignalNotes&&) noexcept = default;
  SignalNotes& operator=(SignalNotes&&) = delete;
  ~SignalNotes();
  // For poll(2).
  int fd() const { return reader_.get(); }
  // 0: none is waiting.
  int next();

 private:
  SignalNotes(UniqueFd reader, UniqueFd writer) : reader_(std::move(reader)), writer_(std::move(writer)) {}
  UniqueFd reader_, writer_;
};

struct StreamOptions {
  bool terminal = false;  // the container has one: bytes go through unchanged, sizes are passed on
  bool forward_input = false;
  std::string detach_keys;  // bytes; only looked for in a terminal's input
  int input = 0, output = 1, error_output = 2;
  std::function<void(int)> on_signal;  // forwards a noted signal
};

struct StreamEnd {
  enum class Why { exited, detached, lost } why = Why::exited;
  int exit_code = 0;
  bool timed_out = false;
};

Result<StreamEnd> carry_streams(pod::Session& session, SignalNotes* signals, const StreamOptions& options);

}  // namespace fermata::cli
