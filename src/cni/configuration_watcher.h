// Tells when the directory with network configurations may have changed: inotify(7).
//
// The directory need not exist: the nearest one above it that does is watched meanwhile. It may come, go and
// be replaced; that one above it is renamed is not seen. Open the watcher first and load then, so that no
// change is missed. Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/core/unique_fd.h"
#include "base/error.h"

struct inotify_event;

namespace fermata::cni {

class ConfigurationWatcher {
 public:
  // `directory`: an absolute path.
  static Result<ConfigurationWatcher> open(const std::string& directory);

  // Readable (poll(2)) when changed() is worth a call. Borrowed.
  int descriptor() const { return inotify_.get(); }
  // Takes all that has happened, without waiting. True: load the configuration again.
  Result<bool> changed();

 private:
  explicit ConfigurationWatcher(std::string directory, UniqueFd inotify)
      : directory_(std::move(directory)), inotify_(std::move(inotify)) {}
  // Watches the directory and those below it, or what is nearest to it. True: the directory itself has
  // come, or gone, or is another.
  Result<bool> arm();
  Result<bool> watch_nearest();
  Result<void> watch_below();
  bool concerns(const inotify_event& event, std::string_view name) const;

  std::string directory_;
  UniqueFd inotify_;
  std::string nearest_;               // what `nearest_watch_` watches
  int nearest_watch_ = -1;            // directory_ itself, or the nearest above it
  std::map<int, std::string> below_;  // watches of the directories below
};

}  // namespace fermata::cni
