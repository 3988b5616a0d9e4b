#include "cri/usage.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

TEST(Usage, MemoryOfV1CountsTheGroupsBelow) {
  pod::ContainerStats stats;
  stats.memory_limit = 100;
  stats.group.memory.emplace();
  stats.group.memory->working_set = 30;
  stats.group.memory->raw = {{"rss", 1}, {"total_rss", 20}, {"total_pgfault", 5}, {"total_pgmajfault", 2}};
  const auto usage = memory_usage(stats, 9);
  EXPECT_EQ(usage.timestamp(), 9);
  EXPECT_EQ(usage.rss_bytes().value(), 20u);
  EXPECT_EQ(usage.available_bytes().value(), 70u);
  EXPECT_EQ(usage.page_faults().value(), 5u);
  EXPECT_EQ(usage.major_page_faults().value(), 2u);
}

TEST(Usage, MemoryOfV2) {
  kernel::MemoryStats memory;
  memory.raw = {{"anon", 7}, {"pgfault", 3}};
  EXPECT_EQ(resident_memory(memory), 7u);
  EXPECT_EQ(memory_figure(memory, "pgfault"), 3u);
}

TEST(Usage, Swap) {
  kernel::CgroupStats group;
  EXPECT_FALSE(swap_usage(group, 1).has_swap_usage_bytes());
  group.memory.emplace();
  group.memory->swap = 10;
  group.memory->memory.limit = 100;
  group.memory->memory_and_swap = kernel::MemoryCounter{.limit = 150};
  const auto usage = swap_usage(group, 1);
  EXPECT_EQ(usage.swap_usage_bytes().value(), 10u);
  EXPECT_EQ(usage.swap_available_bytes().value(), 40u);
  group.memory->memory_and_swap->limit = kernel::kNoLimit;
  EXPECT_FALSE(swap_usage(group, 1).has_swap_available_bytes());
}

TEST(Usage, PressureIsInNanoseconds) {
  kernel::CgroupStats group;
  EXPECT_FALSE(cpu_usage(group, 1, std::nullopt).has_psi());
  group.cpu_pressure.emplace();
  group.cpu_pressure->some = {.average_10 = 1.5, .average_60 = 0, .average_300 = 0, .total = 3};
  const auto usage = cpu_usage(group, 1, 5);
  EXPECT_EQ(usage.psi().some().total(), 3000u);
  EXPECT_EQ(usage.psi().some().avg10(), 1.5);
  EXPECT_EQ(usage.usage_nano_cores().value(), 5u);
}

TEST(Usage, Eth0IsTheDefaultInterface) {
  const auto usage = network_usage({{.name = "net1"}, {.name = "eth0", .rx_bytes = 4}}, 1);
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->default_interface().name(), "eth0");
  EXPECT_EQ(usage->default_interface().rx_bytes().value(), 4u);
  ASSERT_EQ(usage->interfaces_size(), 1);
  EXPECT_EQ(usage->interfaces(0).name(), "net1");
}

// A pod on the host's network ended kubelets.
TEST(Usage, WithoutInterfacesThereIsNoNetwork) { EXPECT_FALSE(network_usage({}, 1)); }

}  // namespace
}  // namespace fermata::cri
