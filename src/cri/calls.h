// What is told of each call: a line in the log, and its part of the metrics.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "cri/log.h"
#include "cri/metrics.h"

namespace fermata::cri {

// Thread-safe. Both are borrowed.
class Calls {
 public:
  Calls(Log& log, Metrics& metrics) : log_(log), metrics_(metrics) {}

  template <class Request, class Work>
  grpc::Status run(const char* method, const Request& request, Work&& work) {
    const auto begin = std::chrono::steady_clock::now();
    grpc::Status status = std::forward<Work>(work)();
    served_.fetch_add(1, std::memory_order_relaxed);
    tell(method, subject_of(request), status, std::chrono::steady_clock::now() - begin);
    return status;
  }
  // Calls that have ended so far.
  std::uint64_t served() const { return served_.load(std::memory_order_relaxed); }

 private:
  // What the call is about. Never more of the request: it may hold passwords.
  template <class Request>
  static std::string subject_of(const Request& request) {
    if constexpr (requires { request.container_id(); }) {
      return request.container_id();
    } else if constexpr (requires { request.pod_sandbox_id(); }) {
      return request.pod_sandbox_id();
    } else if constexpr (requires { request.image().image(); }) {
      return request.image().image();
    } else {
      return {};
    }
  }
  void tell(const char* method, const std::string& subject, const grpc::Status& status,
            std::chrono::nanoseconds duration);

  Log& log_;
  Metrics& metrics_;
  std::atomic<std::uint64_t> served_ = 0;
};

}  // namespace fermata::cri
