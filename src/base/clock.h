// The time of day, as rows, logs and tables keep it: nanoseconds of CLOCK_REALTIME. clock_gettime(2).
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace fermata {

inline std::int64_t now_ns() {
  timespec time = {};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

// "2006-01-02T15:04:05.999999999Z", without zeros at the fraction's end; RFC 3339. 0: "0001-01-01T00:00:00Z".
std::string rfc3339(std::int64_t time);

}  // namespace fermata
