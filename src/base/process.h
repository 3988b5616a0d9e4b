// Processes by number, told apart from later ones of the same number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fermata {

// proc_pid_stat(5).
struct ProcessStat {
  std::string name;        // comm
  char state = 0;          // 'R', 'S', 'Z', ...
  std::int64_t start = 0;  // when it started, in clock ticks since boot
};
// nullopt: there is none.
std::optional<ProcessStat> process_stat(int pid);

// When it started, in clock ticks since boot; proc_pid_stat(5). 0: there is none. Number and start together
// name a process for as long as the machine is up.
std::int64_t process_start(int pid);

}  // namespace fermata
