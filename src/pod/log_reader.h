// Container logs in the CRI format: "<RFC 3339 nano> stdout|stderr F|P <content>\n". Foreign bytes as far as
// content goes; the frame is the monitor's. Pure but for reading files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::pod {

struct LogLine {
  std::int64_t time = 0;  // ns
  int stream = 1;         // 1, 2
  bool partial = false;   // the line goes on
  std::string_view timestamp;
  std::string_view content;
};
// Without its newline. nullopt: malformed (a torn write), to be skipped.
std::optional<LogLine> parse_log_line(std::string_view line);
// "2024-05-06T07:08:09.123456789Z", "...+02:00" -> ns.
std::optional<std::int64_t> parse_timestamp(std::string_view text);

// Passes whole lines on, by stream, joined from their parts, with their options applied.
class LogPrinter {
 public:
  using Sink = std::function<bool(int stream, std::string_view bytes)>;
  LogPrinter(bool timestamps, std::int64_t since, std::int64_t until, const Sink& sink)
      : timestamps_(timestamps), since_(since), until_(until), sink_(sink) {}
  // False: the sink wants no more, or `until` was passed.
  bool print(std::string_view line);

 private:
  bool timestamps_;
  std::int64_t since_, until_;
  const Sink& sink_;
  bool open_line_[3] = {};  // a partial line was printed
};

// Where the last `count` lines of `text` begin. Parts belong to their line.
std::size_t tail_offset(std::string_view text, std::uint64_t count);
// How many lines end in it.
std::uint64_t count_lines(std::string_view text);

// The log files of a directory, oldest first: log.2, log.1, log.
std::vector<std::string> log_files(const std::string& directory);

}  // namespace fermata::pod
