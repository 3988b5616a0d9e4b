// What the daemon tells its operator: one line an event on standard error, with fields that machines can
// read. systemd's journal, or whoever started us, keeps it.
#pragma once

#include <atomic>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::cri {

enum class LogLevel { debug, info, warning, error };
const char* to_string(LogLevel level);
std::optional<LogLevel> parse_log_level(std::string_view name);

enum class LogFormat { text, json };
const char* to_string(LogFormat format);
std::optional<LogFormat> parse_log_format(std::string_view name);

struct LogField {
  std::string_view key;
  std::string value;  // any bytes
};

// The line, with its newline. text: `time=... level=info msg="..." key=value`; json: one object.
std::string format_line(LogFormat format, std::int64_t time, LogLevel level, std::string_view message,
                        std::initializer_list<LogField> fields);

// Thread-safe. Each line is one write(2): lines of several threads do not mix.
class Log {
 public:
  // `fd` is borrowed.
  Log(int fd, LogLevel level, LogFormat format) : fd_(fd), level_(level), format_(format) {}

  void set(LogLevel level, LogFormat format) {
    level_ = level;
    format_ = format;
  }
  bool wants(LogLevel level) const { return level >= level_; }
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::info, message, fields);
  }
  void warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::warning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::error, message, fields);
  }

 private:
  const int fd_;
  std::atomic<LogLevel> level_;
  std::atomic<LogFormat> format_;
};

}  // namespace fermata::cri
