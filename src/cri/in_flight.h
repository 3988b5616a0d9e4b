// A call that is repeated while it is at work joins that work and shares its result: a client that gave up
// and tries again does not start it twice.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/start_thread.h"

namespace fermata::cri {

// What becomes of work whose callers have all left.
enum class Abandoned {
  finish,  // it goes on, and later callers join it
  stop     // it is asked to stop; later callers wait for its end, and begin anew
};

// Thread-safe. The destructor asks all that is at work to stop and waits for it. T is copyable.
template <class T>
class InFlight {
 public:
  using Work = std::function<Result<T>(std::stop_token)>;

  explicit InFlight(Abandoned abandoned) : abandoned_(abandoned) {}
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() {
    std::unique_lock lock(mutex_);
    for (const auto& [key, flight] : flights_) flight->stop.request_stop();
    changed_.wait(lock, [&] { return flights_.empty(); });
  }

  // Runs `work` on a thread of its own, or waits for the one that runs for this key. `gone` tells, when asked
  // now and then, that the caller no longer waits: nullopt then.
  std::optional<Result<T>> run(const std::string& key, const std::function<bool()>& gone, Work work) {
    std::unique_lock lock(mutex_);
    for (;;) {
      std::shared_ptr<Flight> flight;
      if (const auto found = flights_.find(key); found != flights_.end()) {
        flight = found->second;
      } else if (auto started = start(key, work); started) {
        flight = *started;
      } else {
        return tl::unexpected<Error>(std::move(started.error()));
      }
      const bool joined = !flight->stop.stop_requested();
      if (joined) ++flight->callers;
      const bool left = !wait(lock, *flight, gone);
      if (joined && --flight->callers == 0 && left && abandoned_ == Abandoned::stop)
        flight->stop.request_stop();
      if (left) return std::nullopt;
      if (joined) return flight->result;
    }
  }

 private:
  static constexpr std::chrono::milliseconds kLook{50};

  struct Flight {
    std::stop_source stop;
    int callers = 0;
    std::optional<Result<T>> result;
  };

  // Call with the lock held, which the new thread needs to end.
  Result<std::shared_ptr<Flight>> start(const std::string& key, const Work& work) {
    auto flight = std::make_shared<Flight>();
    TRY(std::thread thread, start_thread([this, key, flight, work] {
          auto result = work(flight->stop.get_token());
          const std::scoped_lock lock(mutex_);
          flight->result = std::move(result);
          flights_.erase(key);
          // Before the lock is free: the destructor ends when it sees no flight.
          changed_.notify_all();
        }));
    thread.detach();
    flights_.emplace(key, flight);
    return flight;
  }

  // False: the caller has gone first.
  bool wait(std::unique_lock<std::mutex>& lock, const Flight& flight, const std::function<bool()>& gone) {
    for (;;) {
      if (flight.result) return true;
      lock.unlock();
      const bool left = gone();
      lock.lock();
      if (flight.result) return true;
      if (left) return false;
      changed_.wait_for(lock, kLook, [&] { return flight.result.has_value(); });
    }
  }

  const Abandoned abandoned_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace fermata::cri
