#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "pod/log_reader.h"

// The first byte is how many lines are wanted; the rest is a log, which may begin and end anywhere.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fermata::pod;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::size_t printed = 0;
  const LogPrinter::Sink sink = [&](int stream, std::string_view bytes) {
    if (stream != 1 && stream != 2) std::abort();
    printed += bytes.size();
    return true;
  };
  LogPrinter plain(false, INT64_MIN, 0, sink), stamped(true, 0, INT64_MAX, sink);
  std::size_t content = 0;
  for (const std::string_view line : fermata::split(text, '\n')) {
    const auto parsed = parse_log_line(line);
    if (parsed) content += parsed->content.size() + (parsed->partial ? 0 : 1);
    if (!plain.print(line)) std::abort();
  }
  if (printed != content) std::abort();
  for (const std::string_view line : fermata::split(text, '\n')) (void)stamped.print(line);
  const std::uint64_t wanted = data[0];
  const std::size_t offset = tail_offset(text, wanted);
  if (offset > text.size() || count_lines(text.substr(offset)) != std::min(wanted, count_lines(text)))
    std::abort();
  return 0;
}
