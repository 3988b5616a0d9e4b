// What the error stream says at the end of exec and attach. Pure.
#pragma once

#include <optional>
#include <string>

namespace fermata::streaming {

// How a process session ended: with an exit code, or because something failed.
struct Outcome {
  int exit_code = 0;
  std::optional<std::string> failure;
};

// From v4 on: a Status object of Kubernetes' meta/v1 as JSON; an exit code other than 0 is a Failure with the
// reason NonZeroExitCode and a cause ExitCode.
std::string status_json(const Outcome& outcome);
// Before v4: a sentence; "" for success.
std::string status_text(const Outcome& outcome);

}  // namespace fermata::streaming
