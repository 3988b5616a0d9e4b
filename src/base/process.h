// Processes by number, told apart from later ones of the same number.
#pragma once

#include <cstdint>

namespace fermata {

// When it started, in clock ticks since boot; proc_pid_stat(5). 0: there is none. Number and start together
// name a process for as long as the machine is up.
std::int64_t process_start(int pid);

}  // namespace fermata
