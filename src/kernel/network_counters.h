// What went through the interfaces of a network namespace: /proc/<pid>/net/dev, proc_pid_net(5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::kernel {

struct InterfaceCounters {
  std::string name;
  std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};

// Lines that it does not understand are left out. Pure.
std::vector<InterfaceCounters> parse_interface_counters(std::string_view text);
// Of the namespace that the process is in, loopback included.
Result<std::vector<InterfaceCounters>> read_interface_counters(int pid);

}  // namespace fermata::kernel
