#include "kernel/network_counters.h"

#include <fmt/format.h>

#include <optional>

#include "base/files.h"
#include "base/text.h"

namespace fermata::kernel {
namespace {

// Positions in a line: eight columns of what was received, eight of what was sent.
enum Column { bytes, packets, errors, dropped, kColumnsEachWay = 8 };

std::optional<std::vector<std::uint64_t>> parse_columns(std::string_view text) {
  std::vector<std::uint64_t> numbers;
  for (const auto word : split(text, ' ')) {
    if (word.empty()) continue;  // the columns are aligned
    const auto number = parse_unsigned(word);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  if (numbers.size() < 2 * kColumnsEachWay) return std::nullopt;
  return numbers;
}

}  // namespace

std::vector<InterfaceCounters> parse_interface_counters(std::string_view text) {
  std::vector<InterfaceCounters> all;
  for (const auto line : split(text, '\n')) {
    // The first number may touch the colon; names hold none. The two heading lines have no colon.
    const auto pair = split_once(line, ':');
    const auto columns = pair ? parse_columns(pair->second) : std::nullopt;
    if (!columns) continue;
    const auto received = columns->begin(), sent = columns->begin() + kColumnsEachWay;
    all.push_back({.name = std::string(trim(pair->first)),
                   .rx_bytes = received[bytes],
                   .rx_packets = received[packets],
                   .rx_errors = received[errors],
                   .rx_dropped = received[dropped],
                   .tx_bytes = sent[bytes],
                   .tx_packets = sent[packets],
                   .tx_errors = sent[errors],
                   .tx_dropped = sent[dropped]});
  }
  return all;
}

Result<std::vector<InterfaceCounters>> read_interface_counters(int pid) {
  TRY(const std::string text, read_file(fmt::format("/proc/{}/net/dev", pid)));
  return parse_interface_counters(text);
}

}  // namespace fermata::kernel
