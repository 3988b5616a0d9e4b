// What the processes of a control group hold open. proc_pid_fd(5), proc_pid_limits(5).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace fermata::cri {

struct ProcessCounts {
  std::uint64_t processes = 0, descriptors = 0, sockets = 0;
  std::uint64_t soft_descriptor_limit = 0;  // of the first; 0: none or unknown
};

// Those that end meanwhile are not counted.
ProcessCounts count_processes(const std::vector<int>& pids);

// The soft limit of "Max open files"; 0: none or unknown. Pure.
std::uint64_t parse_descriptor_limit(std::string_view limits);

}  // namespace fermata::cri
