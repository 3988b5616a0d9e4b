// Takes away what pods share on the host (the bridge, its table, common control groups) when none has needed
// it for a second. In place of the monitors' event commands, which do it for the command line.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "cri/engines.h"
#include "cri/log.h"

namespace fermata::cri {

// Thread-safe. The engines and the log are borrowed. Its end waits until all is taken away that can be.
class IdleHost {
 public:
  IdleHost(Engines& engines, Log& log) : engines_(engines), log_(log) {}
  IdleHost(const IdleHost&) = delete;
  IdleHost& operator=(const IdleHost&) = delete;

  // Looks for what an earlier daemon has left, too. Once.
  Result<void> start();
  // Never blocks.
  void pod_ended();

 private:
  void serve(const std::stop_token& stop);
  void wind_down(std::chrono::nanoseconds linger);

  Engines& engines_;
  Log& log_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool to_look_ = true;
  std::jthread thread_;  // the last: it uses the others
};

}  // namespace fermata::cri
