#include "cri/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace fermata::cri {
namespace {

constexpr std::array kLevels = {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error};
constexpr std::array kFormats = {LogFormat::text, LogFormat::json};

std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// As it is where a reader can see where it ends.
std::string text_value(std::string_view value) {
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
  return plain ? std::string(value) : quoted(value);
}

}  // namespace

const char* to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      break;
  }
  return "error";
}

std::optional<LogLevel> parse_log_level(std::string_view name) {
  for (const LogLevel level : kLevels)
    if (name == to_string(level)) return level;
  return std::nullopt;
}

const char* to_string(LogFormat format) { return format == LogFormat::json ? "json" : "text"; }

std::optional<LogFormat> parse_log_format(std::string_view name) {
  for (const LogFormat format : kFormats)
    if (name == to_string(format)) return format;
  return std::nullopt;
}

std::string format_line(LogFormat format, std::int64_t time, LogLevel level, std::string_view message,
                        std::initializer_list<LogField> fields) {
  const bool json = format == LogFormat::json;
  std::string line = json ? "{" : "";
  const auto add = [&](std::string_view key, std::string_view value) {
    if (line.size() > 1) line += json ? "," : " ";
    line += json ? quoted(key) + ":" + quoted(value) : std::string(key) + "=" + text_value(value);
  };
  add("time", rfc3339(time));
  add("level", to_string(level));
  add("msg", message);
  for (const LogField& field : fields) add(field.key, field.value);
  line += json ? "}\n" : "\n";
  return line;
}

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!wants(level)) return;
  const std::string line = format_line(format_, now_ns(), level, message, fields);
  // Where nobody reads any more there is nobody to tell it to.
  [[maybe_unused]] const ssize_t written = ::write(fd_, line.data(), line.size());
}

}  // namespace fermata::cri
