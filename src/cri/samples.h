// What is remembered between two calls for statistics: the processor's time, for a rate needs two points, and
// what a container has written, for counting it walks a tree.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "pod/tree_size.h"

namespace fermata::cri {

// Thread-safe.
class CpuRates {
 public:
  // `used`: nanoseconds of processor so far; `time`: ns since boot, of this figure; `began`: of figure 0. The
  // rate since the point before, which is at least a second ago; for the first point since it began.
  // Nanoseconds of processor in a second.
  std::uint64_t add(const std::string& id, std::uint64_t used, std::int64_t time, std::int64_t began);
  // Forgets all others.
  void keep(const std::set<std::string>& ids);

 private:
  struct Point {
    std::uint64_t used = 0;
    std::int64_t time = 0;
    std::uint64_t rate = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Point> points_;
};

// Thread-safe.
class WrittenLayers {
 public:
  explicit WrittenLayers(std::chrono::nanoseconds period) : period_(period) {}

  struct Measured {
    pod::TreeUsage usage;
    std::int64_t time = 0;  // ns, when
  };
  // Not older than the period, or twenty times what it took to measure: a large tree may not keep a disk
  // busy.
  Measured of(const std::string& directory);
  void keep(const std::set<std::string>& directories);

 private:
  struct Entry {
    Measured measured;
    std::chrono::steady_clock::time_point until;
  };
  const std::chrono::nanoseconds period_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace fermata::cri
