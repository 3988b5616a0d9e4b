#include "cli/human.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <ctime>

#include "base/text.h"

namespace fermata::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string strftime_text(const char* format, const std::tm& broken) {
  char buffer[64];
  return std::string(buffer, std::strftime(buffer, sizeof buffer, format, &broken));
}

// ".123" behind the seconds -> ns; nullopt when it is malformed. Digits beyond the ninth do not count.
std::optional<std::int64_t> fraction(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::int64_t value = 0, unit = kSecond / 10;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value += (c - '0') * unit;
    unit /= 10;
  }
  return value;
}

// Seconds east of UTC of "Z", "+02:00"; "" is the local zone, which only mktime knows.
std::optional<std::int64_t> zone_offset(std::string_view zone) {
  if (zone == "Z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const auto hours = parse_unsigned(zone.substr(1, 2)), minutes = parse_unsigned(zone.substr(4, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const auto offset = static_cast<std::int64_t>(*hours * 3600 + *minutes * 60);
  return zone[0] == '-' ? -offset : offset;
}

std::optional<std::int64_t> parse_calendar(std::string_view given) {
  const std::string text(given);
  std::tm broken = {};
  const char* end = nullptr;
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"}) {
    broken = {};
    end = ::strptime(text.c_str(), format, &broken);
    if (end != nullptr) break;
  }
  if (end == nullptr) return std::nullopt;
  std::string_view rest(end);
  std::int64_t nanoseconds = 0;
  if (rest.starts_with('.')) {
    const std::size_t length = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    const auto part = fraction(rest.substr(1, length - 1));
    if (!part) return std::nullopt;
    nanoseconds = *part;
    rest.remove_prefix(length);
  }
  if (rest.empty()) {
    broken.tm_isdst = -1;
    return static_cast<std::int64_t>(::mktime(&broken)) * kSecond + nanoseconds;
  }
  const auto offset = zone_offset(rest);
  if (!offset) return std::nullopt;
  return (static_cast<std::int64_t>(::timegm(&broken)) - *offset) * kSecond + nanoseconds;
}

std::optional<std::int64_t> parse_unix(std::string_view text) {
  const auto parts = split_once(text, '.');
  const auto seconds = parse_signed(parts ? parts->first : text);
  const auto part = parts ? fraction(parts->second) : std::optional<std::int64_t>(0);
  if (!seconds || !part || *seconds > INT64_MAX / kSecond - 1 || *seconds < 0) return std::nullopt;
  return *seconds * kSecond + *part;
}

}  // namespace

std::string human_duration(std::int64_t seconds) {
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  const std::int64_t minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  const std::int64_t hours = (seconds + 1800) / 3600;
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", seconds / 3600 / 24 / 365);
}

std::string local_time(std::int64_t time) {
  const std::time_t seconds = time / kSecond;
  std::tm broken = {};
  ::localtime_r(&seconds, &broken);
  return strftime_text("%Y-%m-%d %H:%M:%S %z %Z", broken);
}

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now) {
  if (const auto before = parse_duration(text); before && text != "0") return now - *before;
  if (const auto time = parse_unix(text)) return *time;
  if (const auto time = parse_calendar(text)) return *time;
  return fail(
      ErrorKind::invalid_argument,
      "invalid value for \"{}\": give a time (2006-01-02T15:04:05Z), Unix seconds or a duration (10m)", text);
}

}  // namespace fermata::cli
