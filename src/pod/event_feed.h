// Word of what happened to pods, from whichever process saw it to the one that listens: an empty file named
// after the pod in <run root>/events, which inotify(7) tells of and which waits while nobody listens. It is a
// hint to look, no record: the store and the monitors know how things stand.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::pod {

// The listening side; one at a time, which its caller sees to.
class EventFeed {
 public:
  // From here on announce() leaves word; what waits is delivered first.
  static Result<EventFeed> open(const std::string& run_root);

  // For poll(2): readable when next() may have something, which it may have before that, too.
  int fd() const { return inotify_.get(); }
  // A pod's id, taken out; nullopt: nothing more for now. Never blocks.
  Result<std::optional<std::string>> next();

 private:
  EventFeed(UniqueFd inotify, std::string directory)
      : inotify_(std::move(inotify)), directory_(std::move(directory)) {}
  Result<void> scan();
  Result<void> read_notices();

  UniqueFd inotify_;
  std::string directory_;
  std::deque<std::string> waiting_;
};

// Nobody may ever have listened: then nothing is left behind.
void announce(const std::string& run_root, const std::string& pod);

}  // namespace fermata::pod
