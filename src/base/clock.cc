#include "base/clock.h"

#include <fmt/format.h>

namespace fermata {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string rfc3339(std::int64_t time) {
  if (time == 0) return "0001-01-01T00:00:00Z";
  const std::time_t seconds = time / kSecond;
  std::tm broken = {};
  ::gmtime_r(&seconds, &broken);
  char buffer[40];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &broken);
  std::string text = buffer;
  if (time % kSecond != 0) {
    text += fmt::format(".{:09}", time % kSecond);
    text.resize(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

}  // namespace fermata
