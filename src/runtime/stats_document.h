// The JSON of `events`: what a container used, as the tools around runc read it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/cgroup_stats.h"
#include "kernel/network_counters.h"

namespace fermata::runtime {

// One line without a newline: {"type":"stats","id":"...","data":{...}}. Names and shapes follow runc's
// types/events.go; version 2's figures are counted as version 1 would (swap with memory, nanoseconds), and
// "no limit" is 2^64-1. Pure.
std::string stats_event(std::string_view id, const kernel::CgroupStats& stats,
                        const std::vector<kernel::InterfaceCounters>& interfaces);
// {"type":"oom","id":"..."}
std::string oom_event(std::string_view id);

}  // namespace fermata::runtime
