// A container or an exec in the foreground: terminal, signals, streams, exit code.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/core/flags.h"
#include "cli/streams.h"
#include "pod/engine.h"

namespace fermata::cli {

struct Foreground {
  bool terminal = false;
  bool input = false, output = true, error_output = true;
  bool forward_signals = true;
  std::string detach_keys;  // bytes

  // Docker's default keys unless the flag says otherwise.
  Result<void> read_detach_keys(const Flags& flags);
  // "the input device is not a TTY" when a terminal is asked for and standard input is none.
  Result<void> check_terminal() const;
  pod::StreamSelection selection() const;
};

// Opens the session with signals noted from before its start, carries its streams and restores the terminal.
using OpenSession = std::function<tl::expected<std::unique_ptr<pod::Session>, pod::StartFailure>(
    const pod::StreamSelection&)>;
tl::expected<StreamEnd, pod::StartFailure> run_foreground(const Foreground& foreground,
                                                          const OpenSession& open,
                                                          const std::function<void(int)>& forward_signal);
// Prints a failed start and gives its exit code.
int report_start_failure(const pod::StartFailure& failure);
// The exit code of an end; tells of a detachment (1, as docker's exec and attach), and when the monitor went
// away.
int exit_code_of(const StreamEnd& end);

}  // namespace fermata::cli
