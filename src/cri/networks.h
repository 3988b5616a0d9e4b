// Which network pods get: that of the CNI configuration, or the built-in one as long as there is none.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "cni/plugins.h"
#include "cri/engines.h"
#include "cri/log.h"
#include "cri/settings.h"
#include "pod/model.h"

namespace fermata::cri {

// Whether pods can be given a network now.
struct NetworkCondition {
  bool ready = true;
  std::string reason;   // CamelCase, "" when ready
  std::string message;  // for people, "" when ready
};

// Thread-safe. The engines and the log are borrowed.
class Networks {
 public:
  Networks(Engines& engines, Log& log, CniSettings settings);
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;
  ~Networks();

  // Watches the configuration from here on, and lets the plugins drop what belongs to no pod any more. Once.
  Result<void> start();
  void set(CniSettings settings);

  // Where configuration and plugins are; nullopt: the built-in network serves. An error: there is a
  // configuration, and it cannot be taken.
  Result<std::optional<pod::CniRequest>> choose() const;
  // Asks the plugins, at most every few seconds.
  NetworkCondition condition();

 private:
  CniSettings settings() const;
  NetworkCondition ask() const;
  void serve();
  void wait_for_change();
  void tell() const;
  Result<void> collect_garbage() const;
  void wake();

  Engines& engines_;
  Log& log_;
  UniqueFd wake_;  // eventfd(2)
  std::thread thread_;

  mutable std::mutex mutex_;
  CniSettings settings_;
  bool ending_ = false;
  std::optional<NetworkCondition> condition_;
  std::chrono::steady_clock::time_point condition_until_;
};

}  // namespace fermata::cri
