#include "cri/idle_host.h"

#include <chrono>
#include <utility>

#include "base/start_thread.h"

namespace fermata::cri {
Result<void> IdleHost::start() {
  TRY(thread_, start_thread<std::jthread>([this](const std::stop_token& stop) { serve(stop); }));
  return {};
}

void IdleHost::pod_ended() {
  const std::scoped_lock lock(mutex_);
  to_look_ = true;
  changed_.notify_all();
}

void IdleHost::serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return to_look_; })) {
    // One look for all that end together.
    changed_.wait_for(lock, stop, pod::kLinger, [] { return false; });
    to_look_ = false;
    lock.unlock();
    wind_down(stop.stop_requested() ? std::chrono::seconds(0) : pod::kLinger);
    lock.lock();
  }
}

void IdleHost::wind_down(std::chrono::nanoseconds linger) {
  auto engine = engines_.lease();
  const auto done = engine ? (*engine)->wind_down(linger) : tl::unexpected(std::move(engine.error()));
  if (!done) log_.warning("what pods share could not be taken away", {{"error", done.error().message()}});
}

}  // namespace fermata::cri
