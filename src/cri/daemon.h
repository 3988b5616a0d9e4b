// fermatad: the calls of the Container Runtime Interface, served on a socket until a signal ends it. It is no
// parent of anything that runs; it may be killed at any point, and another one goes on.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "cri/notify.h"
#include "cri/settings.h"

namespace fermata::cri {

struct DaemonOptions {
  std::string version;
  // The settings as they now are: called at start, and again at each SIGHUP.
  std::function<Result<Settings>()> load;
  ServiceManager manager;
};

// Returns once SIGTERM or SIGINT has asked for it and calls under way have ended, or after 10 s. One at a
// time in a process, whose main thread calls it before there are others.
Result<void> run_daemon(const DaemonOptions& options);

}  // namespace fermata::cri
