// Requests that wait for their client: one-time tokens for URLs.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "streaming/request.h"

namespace fermata::streaming {

// Thread-safe.
class TokenCache {
 public:
  using Clock = std::chrono::steady_clock;

  TokenCache(std::chrono::nanoseconds lifetime, std::size_t capacity)
      : lifetime_(lifetime), capacity_(capacity) {}

  // 128 random bits in hexadecimal. ErrorKind::unavailable when `capacity` requests wait already.
  Result<std::string> put(Request request, Clock::time_point now = Clock::now());
  // The request, once, if it is of this kind (see kind_of) and not too old. Asking with the wrong kind uses
  // it up, too.
  std::optional<Request> take(std::string_view kind, const std::string& token,
                              Clock::time_point now = Clock::now());
  std::size_t size() const;

 private:
  struct Waiting {
    Request request;
    Clock::time_point expires;
  };
  void drop_expired(Clock::time_point now);

  const std::chrono::nanoseconds lifetime_;
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Waiting> waiting_;
  std::deque<std::string> by_age_;  // oldest first; those taken since are still in it
};

}  // namespace fermata::streaming
