#include "base/text.h"
#include "kernel/cgroup_stats.h"

namespace fermata::kernel {
namespace {

struct Device {
  std::uint64_t major, minor;
};

std::optional<Device> parse_device(std::string_view text) {
  const auto pair = split_once(text, ':');
  if (!pair) return std::nullopt;
  const auto major = parse_unsigned(pair->first), minor = parse_unsigned(pair->second);
  return major && minor ? std::optional(Device{*major, *minor}) : std::nullopt;
}

// "0.25": digits and a point, as the kernel writes percentages whatever the locale says.
std::optional<double> parse_decimal(std::string_view text) {
  const auto pair = split_once(text, '.');
  const auto whole = parse_unsigned(pair ? pair->first : text);
  if (!whole) return std::nullopt;
  auto value = static_cast<double>(*whole);
  double place = 1;
  for (const char digit : pair ? pair->second : std::string_view()) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value += (digit - '0') * (place /= 10);
  }
  return value;
}

PressureLine parse_pressure_line(const std::vector<std::string_view>& words) {
  PressureLine line;
  for (const auto word : words) {
    const auto pair = split_once(word, '=');
    if (!pair) continue;
    const auto& [key, value] = *pair;
    if (key == "avg10") line.average_10 = parse_decimal(value).value_or(0);
    if (key == "avg60") line.average_60 = parse_decimal(value).value_or(0);
    if (key == "avg300") line.average_300 = parse_decimal(value).value_or(0);
    if (key == "total") line.total = parse_unsigned(value).value_or(0);
  }
  return line;
}

void add_io_figure(BlockStats& stats, const Device& device, std::string_view key, std::uint64_t value) {
  const auto add = [&](std::vector<BlockEntry>& list, const char* operation) {
    list.push_back({device.major, device.minor, operation, value});
  };
  if (key == "rbytes") add(stats.service_bytes, "Read");
  if (key == "wbytes") add(stats.service_bytes, "Write");
  if (key == "dbytes") add(stats.service_bytes, "Discard");
  if (key == "rios") add(stats.serviced, "Read");
  if (key == "wios") add(stats.serviced, "Write");
  if (key == "dios") add(stats.serviced, "Discard");
}

struct RdmaLine {
  std::string_view device;
  std::uint64_t handles = 0, objects = 0;
};

std::vector<RdmaLine> parse_rdma_lines(std::string_view text) {
  std::vector<RdmaLine> lines;
  for (const auto line : split(text, '\n')) {
    const auto words = split(trim(line), ' ');
    if (words.size() < 2) continue;
    RdmaLine parsed = {.device = words[0]};
    for (const auto word : words) {
      const auto pair = split_once(word, '=');
      if (!pair) continue;
      const std::uint64_t value = pair->second == "max" ? kNoLimit : parse_unsigned(pair->second).value_or(0);
      if (pair->first == "hca_handle") parsed.handles = value;
      if (pair->first == "hca_object") parsed.objects = value;
    }
    lines.push_back(parsed);
  }
  return lines;
}

}  // namespace

std::map<std::string, std::uint64_t> parse_keyed_numbers(std::string_view text) {
  std::map<std::string, std::uint64_t> numbers;
  for (const auto line : split(text, '\n'))
    if (const auto pair = split_once(line, ' '))
      if (const auto value = parse_unsigned(pair->second)) numbers[std::string(pair->first)] = *value;
  return numbers;
}

std::optional<Pressure> parse_pressure(std::string_view text) {
  std::optional<Pressure> pressure;
  for (const auto line : split(text, '\n')) {
    const auto words = split(line, ' ');
    if (words[0] == "some") pressure.emplace().some = parse_pressure_line(words);
    if (words[0] == "full" && pressure) pressure->full = parse_pressure_line(words);
  }
  return pressure;
}

std::vector<BlockEntry> parse_block_entries(std::string_view text) {
  std::vector<BlockEntry> entries;
  for (const auto line : split(text, '\n')) {
    const auto words = split(trim(line), ' ');
    const auto device = parse_device(words[0]);
    if (!device || words.size() < 2 || words.size() > 3) continue;
    const auto value = parse_unsigned(words.back());
    if (!value) continue;
    entries.push_back({device->major, device->minor, words.size() == 3 ? std::string(words[1]) : "", *value});
  }
  return entries;
}

BlockStats parse_io_stat(std::string_view text) {
  BlockStats stats;
  for (const auto line : split(text, '\n')) {
    const auto words = split(trim(line), ' ');
    const auto device = parse_device(words[0]);
    if (!device) continue;
    for (const auto word : words)
      if (const auto pair = split_once(word, '='))
        if (const auto value = parse_unsigned(pair->second))
          add_io_figure(stats, *device, pair->first, *value);
  }
  return stats;
}

std::map<std::string, RdmaStats> parse_rdma(std::string_view current, std::string_view limits) {
  std::map<std::string, RdmaStats> all;
  for (const auto& line : parse_rdma_lines(current)) {
    auto& stats = all[std::string(line.device)];
    stats.handles = line.handles;
    stats.objects = line.objects;
  }
  // A device that came or went in between is in one of the two only.
  for (const auto& line : parse_rdma_lines(limits)) {
    const auto found = all.find(std::string(line.device));
    if (found == all.end()) continue;
    found->second.handle_limit = line.handles;
    found->second.object_limit = line.objects;
  }
  return all;
}

}  // namespace fermata::kernel
