#include "pod/log_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "base/text.h"
#include "monitor/protocol.h"

namespace fermata::pod {
namespace {

constexpr int kMaximumFiles = 1000;

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  const auto value = parse_unsigned(text.substr(at, count));
  return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
}

// "P" or a tag list that begins with it.
bool is_partial(std::string_view tag) { return tag == "P" || tag.starts_with("P:"); }

// Does this raw line end one of the container's?
bool ends_line(std::string_view line) {
  const auto parsed = parse_log_line(line);
  return parsed && !parsed->partial;
}

}  // namespace

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2),
             hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' || text[7] != '-' ||
      text[13] != ':' || text[16] != ':')
    return std::nullopt;
  tm time = {};
  time.tm_year = *year - 1900;
  time.tm_mon = *month - 1;
  time.tm_mday = *day;
  time.tm_hour = *hour;
  time.tm_min = *minute;
  time.tm_sec = *second;
  std::int64_t nanoseconds = 0;
  text.remove_prefix(19);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string fraction(text.substr(0, std::min<std::size_t>(end, 9)));
    fraction.resize(9, '0');
    nanoseconds = static_cast<std::int64_t>(parse_unsigned(fraction).value_or(0));
    text.remove_prefix(end);
  }
  std::int64_t offset = 0;
  if (text != "Z") {
    const auto hours = digits(text, 1, 2), minutes = digits(text, 4, 2);
    if (text.size() != 6 || !hours || !minutes || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    offset = (*hours * 60 + *minutes) * 60 * (text[0] == '+' ? 1 : -1);
  }
  // Nanoseconds since 1970 end in 2262 and begin in 1677: what is beyond is as late, or as early, as can be told.
  const std::int64_t seconds = static_cast<std::int64_t>(::timegm(&time)) - offset;
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &total) ||
      __builtin_add_overflow(total, nanoseconds, &total))
    return seconds > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
  return total;
}

std::optional<LogLine> parse_log_line(std::string_view line) {
  LogLine parsed;
  const auto time = split_once(line, ' ');
  if (!time) return std::nullopt;
  parsed.timestamp = time->first;
  const auto ns = parse_timestamp(time->first);
  if (!ns) return std::nullopt;
  parsed.time = *ns;
  const auto stream = split_once(time->second, ' ');
  if (!stream || (stream->first != "stdout" && stream->first != "stderr")) return std::nullopt;
  parsed.stream = stream->first == "stdout" ? 1 : 2;
  const auto tag = split_once(stream->second, ' ');
  if (!tag) return std::nullopt;
  parsed.partial = is_partial(tag->first);
  parsed.content = tag->second;
  return parsed;
}

bool LogPrinter::print(std::string_view line) {
  const auto parsed = parse_log_line(line);
  if (!parsed || parsed->time < since_) return true;
  if (until_ != 0 && parsed->time > until_) return false;
  std::string bytes;
  bytes.reserve(parsed->content.size() + 40);
  bool& open = open_line_[parsed->stream];
  if (timestamps_ && !open) {
    bytes += parsed->timestamp;
    bytes += ' ';
  }
  bytes += parsed->content;
  if (!parsed->partial) bytes += '\n';
  open = parsed->partial;
  return bytes.empty() || sink_(parsed->stream, bytes);
}

std::uint64_t count_lines(std::string_view text) {
  std::uint64_t count = 0;
  for (const std::string_view line : split(text, '\n')) count += ends_line(line) ? 1 : 0;
  return count;
}

std::size_t tail_offset(std::string_view text, std::uint64_t count) {
  if (count == 0) return text.size();
  // Backwards over line ends, until one more line than wanted ends: it is the first that is left out.
  std::size_t end = text.size();
  if (end > 0 && text[end - 1] == '\n') --end;
  std::uint64_t seen = 0;
  while (end > 0) {
    const auto before = text.rfind('\n', end - 1);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const bool ends = ends_line(text.substr(begin, end - begin));
    if (ends && ++seen > count) return std::min(end + 1, text.size());
    if (begin == 0) return 0;
    end = begin - 1;
  }
  return 0;
}

std::vector<std::string> log_files(const std::string& directory) {
  const std::string current = directory + "/" + monitor::kLogFile;
  std::vector<std::string> files = {current};
  for (int i = 1; i < kMaximumFiles; ++i) {
    const std::string older = fmt::format("{}.{}", current, i);
    if (::access(older.c_str(), F_OK) != 0) break;
    files.push_back(older);
  }
  std::reverse(files.begin(), files.end());
  return files;
}

}  // namespace fermata::pod
