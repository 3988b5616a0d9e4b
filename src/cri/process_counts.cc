#include "cri/process_counts.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>


#include "base/files.h"
#include "base/text.h"
#include "base/unique_dir.h"

namespace fermata::cri {
namespace {

bool is_socket(int directory, const char* name) {
  char target[16];
  const ssize_t size = ::readlinkat(directory, name, target, sizeof target);
  return size > 0 && std::string_view(target, static_cast<std::size_t>(size)).starts_with("socket:");
}

void count_descriptors(int pid, ProcessCounts& counts) {
  const UniqueDir directory(::opendir(fmt::format("/proc/{}/fd", pid).c_str()));
  if (!directory) return;
  ++counts.processes;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    ++counts.descriptors;
    if (is_socket(::dirfd(directory.get()), entry->d_name)) ++counts.sockets;
  }
}

}  // namespace

std::uint64_t parse_descriptor_limit(std::string_view limits) {
  constexpr std::string_view kName = "Max open files";
  for (std::string_view line : split(limits, '\n')) {
    if (!line.starts_with(kName)) continue;
    line = trim(line.substr(kName.size()));
    return parse_unsigned(line.substr(0, line.find(' '))).value_or(0);
  }
  return 0;
}

ProcessCounts count_processes(const std::vector<int>& pids) {
  ProcessCounts counts;
  for (const int pid : pids) count_descriptors(pid, counts);
  if (pids.empty()) return counts;
  const auto limits = read_file(fmt::format("/proc/{}/limits", pids.front()));
  if (limits) counts.soft_descriptor_limit = parse_descriptor_limit(*limits);
  return counts;
}

}  // namespace fermata::cri
