#include "monitor/text.h"

#include <cstring>

namespace fermata::monitor {
namespace {

void digits(char* out, std::uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

void format_timestamp(std::int64_t realtime_ns, char* out) {
  if (realtime_ns < 0) realtime_ns = 0;
  const std::int64_t seconds = realtime_ns / 1'000'000'000;
  const std::int64_t of_day = seconds % 86400;
  // Days since 1970 to a date of the Gregorian calendar, whose 400 years repeat; a year here begins in March,
  // so that the leap day is its last.
  const std::int64_t days = seconds / 86400 + 719468;
  const std::int64_t era = days / 146097;
  const std::int64_t day_of_era = days % 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
  std::memcpy(out, "0000-00-00T00:00:00.000000000Z", kTimestampSize);
  digits(out, static_cast<std::uint64_t>(year), 4);
  digits(out + 5, static_cast<std::uint64_t>(month), 2);
  digits(out + 8, static_cast<std::uint64_t>(day), 2);
  digits(out + 11, static_cast<std::uint64_t>(of_day / 3600), 2);
  digits(out + 14, static_cast<std::uint64_t>(of_day / 60 % 60), 2);
  digits(out + 17, static_cast<std::uint64_t>(of_day % 60), 2);
  digits(out + 20, static_cast<std::uint64_t>(realtime_ns % 1'000'000'000), 9);
}

char* append_number(char* out, std::int64_t value) {
  std::uint64_t rest = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *out++ = '-';
    rest = 0 - rest;
  }
  char reversed[20];
  int count = 0;
  do {
    reversed[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  while (count > 0) *out++ = reversed[--count];
  return out;
}

char* append_text(char* out, const char* text) {
  while (*text != '\0') *out++ = *text++;
  return out;
}

std::uint64_t find_counter(const char* text, std::size_t size, const char* key) {
  const std::size_t length = std::strlen(key);
  for (std::size_t at = 0; at < size;) {
    std::size_t end = at;
    while (end < size && text[end] != '\n') ++end;
    if (end - at > length && std::memcmp(text + at, key, length) == 0 && text[at + length] == ' ') {
      std::uint64_t value = 0;
      for (at += length + 1; at < end && text[at] >= '0' && text[at] <= '9'; ++at)
        value = value * 10 + static_cast<std::uint64_t>(text[at] - '0');
      return value;
    }
    at = end + 1;
  }
  return 0;
}

}  // namespace fermata::monitor
