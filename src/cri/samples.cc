#include "cri/samples.h"

#include <algorithm>

#include "base/clock.h"

namespace fermata::cri {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kRest = 20;  // times what a measurement took

std::uint64_t rate_of(std::uint64_t used, std::int64_t time) {
  if (time <= 0) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(used) * kSecond / static_cast<double>(time));
}

}  // namespace

std::uint64_t CpuRates::add(const std::string& id, std::uint64_t used, std::int64_t time,
                            std::int64_t began) {
  const std::scoped_lock lock(mutex_);
  const auto [at, first] = points_.try_emplace(id);
  Point& point = at->second;
  if (first) {
    point = {.used = used, .time = time, .rate = rate_of(used, time - began)};
  } else if (used < point.used) {
    // Started anew under the same id.
    point = {.used = used, .time = time, .rate = 0};
  } else if (time - point.time >= kSecond) {
    point = {.used = used, .time = time, .rate = rate_of(used - point.used, time - point.time)};
  }
  return point.rate;
}

void CpuRates::keep(const std::set<std::string>& ids) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(points_, [&](const auto& entry) { return !ids.contains(entry.first); });
}

WrittenLayers::Measured WrittenLayers::of(const std::string& directory) {
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(directory);
    if (found != entries_.end() && begin < found->second.until) return found->second.measured;
  }
  // Without the lock: others are measured meanwhile.
  Entry entry{.measured = {.usage = pod::tree_usage(directory), .time = now_ns()}, .until = {}};
  const auto end = std::chrono::steady_clock::now();
  entry.until = end + std::max<std::chrono::nanoseconds>(period_, (end - begin) * kRest);
  const std::scoped_lock lock(mutex_);
  return (entries_[directory] = entry).measured;
}

void WrittenLayers::keep(const std::set<std::string>& directories) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) { return !directories.contains(entry.first); });
}

}  // namespace fermata::cri
