// What a container uses at this moment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/cgroup_stats.h"
#include "kernel/network_counters.h"

namespace fermata::pod {

struct ContainerStats {
  std::string id, name;
  bool running = false;            // else there are no figures
  std::int64_t time = 0;           // ns since boot, when they were read
  kernel::CgroupStats group;       // without what its pause container uses
  std::uint64_t memory_limit = 0;  // bytes: its own, or all that the machine has
  // Of the network that it is in, without loopback; none in the host's, which is not its own.
  std::vector<kernel::InterfaceCounters> interfaces;
};

}  // namespace fermata::pod
