// What a control group and a network count, in the CRI's messages. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cri/protocol.h"
#include "pod/stats.h"
#include "pod/tree_size.h"

namespace fermata::cri {

// Of memory that is anonymous; bytes.
std::uint64_t resident_memory(const kernel::MemoryStats& memory);
// A figure of memory.stat, with those of the groups below it: v1 tells the sum as "total_<name>".
std::uint64_t memory_figure(const kernel::MemoryStats& memory, const std::string& name);

// `time`: ns of CLOCK_REALTIME, when the figures were read. `rate`: nanoseconds of processor in a second.
v1::CpuUsage cpu_usage(const kernel::CgroupStats& group, std::int64_t time,
                       std::optional<std::uint64_t> rate);
v1::MemoryUsage memory_usage(const pod::ContainerStats& stats, std::int64_t time);
v1::SwapUsage swap_usage(const kernel::CgroupStats& group, std::int64_t time);
v1::IoUsage io_usage(const kernel::CgroupStats& group, std::int64_t time);
// eth0, or the first, is the default interface. nullopt: there is none; a kubelet that has its statistics
// from CRI ends in a panic over a usage without (hostNetwork; 1.36).
std::optional<v1::NetworkUsage> network_usage(const std::vector<kernel::InterfaceCounters>& interfaces,
                                              std::int64_t time);
v1::FilesystemUsage layer_usage(const pod::TreeUsage& written, const std::string& store, std::int64_t time);

}  // namespace fermata::cri
