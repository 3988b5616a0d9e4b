// Standing by a process until its end: signals go to it, and its terminal is ours.
#pragma once

#include "base/error.h"
#include "bundle/runtime.h"

namespace fermata::cli::oci {

// From construction on, signals wait to be passed on, so that none ends us while a container is half made.
class HeldSignals {
 public:
  static Result<HeldSignals> hold();
  int fd() const { return fd_.get(); }

 private:
  explicit HeldSignals(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// The exit code of the process: its own, or 128 and its signal's number. Orphans that end up with us are
// reaped meanwhile.
Result<int> stand_by(const bundle::Started& process, const HeldSignals& signals);

}  // namespace fermata::cli::oci
