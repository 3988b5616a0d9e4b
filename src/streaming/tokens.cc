#include "streaming/tokens.h"

#include <utility>

#include "base/id.h"

namespace fermata::streaming {

Result<std::string> TokenCache::put(Request request, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  drop_expired(now);
  if (waiting_.size() >= capacity_)
    return fail(ErrorKind::unavailable,
                "{} streaming requests wait for their client already; try again in a minute", capacity_);
  std::string token = random_hex(32);
  waiting_.insert_or_assign(token, Waiting{std::move(request), now + lifetime_});
  by_age_.push_back(token);
  return token;
}

std::optional<Request> TokenCache::take(std::string_view kind, const std::string& token,
                                        Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  drop_expired(now);
  const auto found = waiting_.find(token);
  if (found == waiting_.end()) return std::nullopt;
  Request request = std::move(found->second.request);
  waiting_.erase(found);
  if (kind != kind_of(request)) return std::nullopt;
  return request;
}

std::size_t TokenCache::size() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void TokenCache::drop_expired(Clock::time_point now) {
  while (!by_age_.empty()) {
    const auto oldest = waiting_.find(by_age_.front());
    if (oldest != waiting_.end()) {
      if (oldest->second.expires > now) return;
      waiting_.erase(oldest);
    }
    by_age_.pop_front();
  }
}

}  // namespace fermata::streaming
