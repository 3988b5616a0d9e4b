#include "monitor/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "monitor/loop.h"
#include "monitor/protocol.h"
#include "monitor/text.h"

namespace fermata::monitor {
namespace {

constexpr std::size_t kRecordOverhead = kTimestampSize + sizeof " stdout F \n";
static_assert(kMaxLine + 2 * kRecordOverhead <= loop::kComposeSize);

// Records of one append, put together and written at once.
struct Batch {
  char* bytes = loop::compose_scratch();
  std::size_t size = 0;
  std::uint32_t records = 0;
  char time[kTimestampSize];
};

void file_name(char* out, std::uint32_t number) {
  out = append_text(out, kLogFile);
  if (number > 0) {
    *out++ = '.';
    out = append_number(out, number);
  }
  *out = '\0';
}

int open_current(Log& log, int flags) {
  // A log that is not ours to rotate may be a link to where its owner wants it.
  const int follow = log.limit == 0 ? 0 : O_NOFOLLOW;
  const int fd =
      ::openat(log.directory, kLogFile, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | follow | flags, 0640);
  if (fd < 0) return errno;
  struct stat info = {};
  if (::fstat(fd, &info) != 0) info.st_size = 0;
  if (log.fd >= 0) ::close(log.fd);
  log.fd = fd;
  log.size = static_cast<std::uint64_t>(info.st_size);
  return 0;
}

void rotate(Log& log) {
  char from[32];
  char to[32];
  for (std::uint32_t number = log.files - 1; number > 0; --number) {
    file_name(from, number - 1);
    file_name(to, number);
    ::renameat(log.directory, from, log.directory,
               to);  // a missing one leaves a hole that the next rotation fills
  }
  if (log.files == 1) ::unlinkat(log.directory, kLogFile, 0);
  // If no new file can be had, the old one, whatever it is called now, still takes the lines.
  if (open_current(log, 0) != 0) log.size = 0;
}

// Whole records or nothing: half a record would be joined with the next one.
void write_batch(Log& log, Batch& batch) {
  std::size_t done = 0;
  while (done < batch.size) {
    const ssize_t put = ::write(log.fd, batch.bytes + done, batch.size - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    done += static_cast<std::size_t>(put);
  }
  if (done < batch.size) {
    std::size_t whole = done;
    while (whole > 0 && batch.bytes[whole - 1] != '\n') --whole;
    if (whole != done && ::ftruncate(log.fd, static_cast<off_t>(log.size + whole)) != 0) whole = done;
    for (std::size_t i = whole; i < batch.size; ++i) log.dropped += batch.bytes[i] == '\n' ? 1 : 0;
    done = whole;
  } else if (batch.records > 0) {
    log.dropped = 0;
  }
  log.size += done;
  batch.size = 0;
  batch.records = 0;
}

void add_record(Log& log, Batch& batch, int stream, char tag, const char* first, std::size_t first_size,
                const char* second, std::size_t second_size) {
  const std::size_t needed = kRecordOverhead + first_size + second_size;
  const bool inside_line = log.partial[0].continued || log.partial[1].continued;
  const std::uint64_t after = log.size + batch.size + needed;
  if (log.limit > 0 && after > log.limit && log.size + batch.size > 0 &&
      (!inside_line || after > 2 * log.limit)) {
    write_batch(log, batch);
    rotate(log);
  }
  if (batch.size + needed + kRecordOverhead > loop::kComposeSize) write_batch(log, batch);
  char* out = batch.bytes + batch.size;
  std::memcpy(out, batch.time, kTimestampSize);
  out = append_text(out + kTimestampSize, stream == 0 ? " stdout " : " stderr ");
  *out++ = tag;
  *out++ = ' ';
  if (first_size > 0) std::memcpy(out, first, first_size);
  out += first_size;
  if (second_size > 0) std::memcpy(out, second, second_size);
  out += second_size;
  *out++ = '\n';
  batch.size = static_cast<std::size_t>(out - batch.bytes);
  ++batch.records;
}

void tell_dropped(Log& log, Batch& batch) {
  if (log.dropped == 0) return;
  char text[96];
  char* end = append_number(append_text(text, "fermata: log lines lost, no space left: "),
                            static_cast<std::int64_t>(log.dropped));
  add_record(log, batch, 1, 'F', text, static_cast<std::size_t>(end - text), nullptr, 0);
}

void forget_partial(Log::Partial& partial) {
  std::free(partial.bytes);
  partial.bytes = nullptr;
  partial.size = partial.capacity = 0;
}

bool keep_partial(Log::Partial& partial, const char* bytes, std::size_t size) {
  if (size == 0) return true;
  if (partial.size + size > partial.capacity) {
    std::size_t capacity = partial.capacity == 0 ? 256 : partial.capacity;
    while (capacity < partial.size + size) capacity *= 2;
    auto* grown = static_cast<char*>(std::realloc(partial.bytes, capacity));
    if (grown == nullptr) return false;
    partial.bytes = grown;
    partial.capacity = capacity;
  }
  std::memcpy(partial.bytes + partial.size, bytes, size);
  partial.size += size;
  return true;
}

}  // namespace

int open_log(Log& log, int directory, std::uint64_t limit, std::uint32_t files) {
  log.directory = directory;
  log.limit = limit;
  log.files = files == 0 ? 1 : files;
  return open_current(log, 0);
}

void append_log(Log& log, int stream, const char* bytes, std::size_t size, std::int64_t realtime_ns) {
  if (log.fd < 0 || size == 0) return;
  Batch batch;
  format_timestamp(realtime_ns, batch.time);
  tell_dropped(log, batch);
  Log::Partial& partial = log.partial[stream];
  while (size > 0) {
    const std::size_t room = kMaxLine - partial.size;
    const std::size_t window = size < room ? size : room;
    const auto* newline = static_cast<const char*>(std::memchr(bytes, '\n', window));
    if (newline == nullptr && window < room) {
      if (!keep_partial(partial, bytes, window)) {  // no memory to wait for the rest
        add_record(log, batch, stream, 'P', partial.bytes, partial.size, bytes, window);
        partial.continued = true;
        forget_partial(partial);
      }
      break;
    }
    const std::size_t content = newline != nullptr ? static_cast<std::size_t>(newline - bytes) : window;
    add_record(log, batch, stream, newline != nullptr ? 'F' : 'P', partial.bytes, partial.size, bytes,
               content);
    partial.continued = newline == nullptr;
    forget_partial(partial);
    const std::size_t taken = content + (newline != nullptr ? 1 : 0);
    bytes += taken;
    size -= taken;
  }
  write_batch(log, batch);
}

void close_log(Log& log, std::int64_t realtime_ns) {
  if (log.fd < 0) return;
  Batch batch;
  format_timestamp(realtime_ns, batch.time);
  tell_dropped(log, batch);
  for (int stream = 0; stream < 2; ++stream) {
    Log::Partial& partial = log.partial[stream];
    if (partial.size > 0) add_record(log, batch, stream, 'P', partial.bytes, partial.size, nullptr, 0);
    forget_partial(partial);
  }
  write_batch(log, batch);
  ::close(log.fd);
  log.fd = -1;
}

int reopen_log(Log& log) { return log.fd < 0 ? EBADF : open_current(log, 0); }

}  // namespace fermata::monitor
