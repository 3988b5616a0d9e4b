// A container's log: lines of the CRI log format in `log`, rotated to log.1, log.2, ...
//
// A line is written when its newline comes, or in parts (P) of 16 kB, as the field does. No line is split by
// a rotation (unless it alone outgrows the file), none is lost by one. A full disk never stops the container:
// what cannot be written is counted, and a line tells the count once there is space again.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fermata::monitor {

inline constexpr std::size_t kMaxLine = 16 * 1024;  // of content in one record

struct Log {
  int fd = -1;         // owned
  int directory = -1;  // borrowed
  std::uint64_t size = 0;
  std::uint64_t limit = 0;  // rotate above; 0: never
  std::uint32_t files = 1;
  std::uint64_t dropped = 0;  // records, since the last one that could be written
  // The unfinished line of each stream: stdout, stderr. Allocated only while there is one.
  struct Partial {
    char* bytes = nullptr;
    std::size_t size = 0, capacity = 0;
    bool continued = false;  // its beginning was written with P
  } partial[2];
};

// Opens or continues `log` in `directory`, which must outlive it. 0 or an errno.
int open_log(Log& log, int directory, std::uint64_t limit, std::uint32_t files);
// `stream`: 0 stdout, 1 stderr.
void append_log(Log& log, int stream, const char* bytes, std::size_t size, std::int64_t realtime_ns);
// Writes unfinished lines (P: there was no newline) and closes.
void close_log(Log& log, std::int64_t realtime_ns);
// Opens `log` anew, after somebody else has renamed it. 0 or an errno, and then the old one goes on.
int reopen_log(Log& log);

}  // namespace fermata::monitor
