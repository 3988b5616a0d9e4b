// Containers as `stats` shows them.
#pragma once

#include <cstdint>
#include <string>

#include "cli/value.h"
#include "pod/stats.h"

namespace fermata::cli {

// "12.3MiB": four digits and units of 1024, as docker prints memory.
std::string binary_size(std::uint64_t bytes);
// A row: ID, Container, Name, CPUPerc, MemUsage, MemPerc, NetIO, BlockIO, PIDs. The share of processor time
// is that between `before` and `now`, of one processor; of a container that was not running before there is
// none yet, which is "--".
Value stats_row(const std::string& asked, const pod::ContainerStats& before, const pod::ContainerStats& now,
                bool truncate);

}  // namespace fermata::cli
