// Which network pods get: that of the CNI configuration, or the built-in one as long as there is none.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
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

  // Reads the pod ranges that were told to an earlier daemon, watches the configuration from here on, and
  // lets the plugins drop what belongs to no pod any more. Once.
  Result<void> start();
  void set(CniSettings settings);

  // Where configuration and plugins are; nullopt: the built-in network serves. An error: there is a
  // configuration, and it cannot be taken.
  Result<std::optional<pod::CniRequest>> choose() const;
  // What the node's pods have addresses of from now on: one network, or one of each family. Kept over
  // restarts and reboots. ErrorKind::invalid_argument names the part that is none.
  Result<void> set_pod_cidr(std::string_view cidr);
  // "10.244.3.0/24", "10.244.3.0/24,fd00:10:244:3::/64", or "" as long as no kubelet has told.
  std::string pod_cidr() const;
  // Asks the plugins, at most every few seconds.
  NetworkCondition condition();

 private:
  CniSettings settings() const;
  // Whether its plugins have addresses to give.
  Result<void> check_ranges(const cni::NetworkConfiguration& network) const;
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

  std::mutex telling_;  // of set_pod_cidr(): what is kept and what is remembered are the same
  mutable std::mutex mutex_;
  CniSettings settings_;
  network::PodRanges ranges_;
  bool ending_ = false;
  std::optional<NetworkCondition> condition_;
  std::chrono::steady_clock::time_point condition_until_;
};

}  // namespace fermata::cri
