// The time of day, as rows, logs and tables keep it: nanoseconds of CLOCK_REALTIME. clock_gettime(2).
#pragma once

#include <cstdint>
#include <ctime>

namespace fermata {

inline std::int64_t now_ns() {
  timespec time = {};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

}  // namespace fermata
