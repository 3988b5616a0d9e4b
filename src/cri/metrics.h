// What the engine has done, in the text format of Prometheus ("exposition formats", version 0.0.4).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace fermata::cri {

// Counts by the upper ends of buckets, and a sum.
struct Histogram {
  static constexpr std::array kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                          0.25,  0.5,    1.0,   2.5,  5.0,   10.0, 30.0};
  std::array<std::uint64_t, kSeconds.size()> buckets{};  // each alone, not what is below it
  std::uint64_t count = 0;
  double sum = 0;

  void add(double seconds);
};

// What is there at the moment of asking.
struct Population {
  std::uint64_t pods = 0, ready_pods = 0, containers = 0, running_containers = 0;
};

// Thread-safe.
class Metrics {
 public:
  // `code`: of gRPC, by its name: "OK", "NOT_FOUND".
  void add_call(std::string_view method, std::string_view code, std::chrono::nanoseconds duration);
  void add_pull(bool success, std::chrono::nanoseconds duration);
  std::string text(const Population& population) const;

 private:
  struct Call {
    Histogram latency;
    std::map<std::string, std::uint64_t, std::less<>> codes;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Call, std::less<>> calls_;
  Histogram pulls_;
  std::uint64_t failed_pulls_ = 0;
};

}  // namespace fermata::cri
