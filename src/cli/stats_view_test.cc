#include "cli/stats_view.h"

#include <gtest/gtest.h>

namespace fermata::cli {
namespace {

std::string field(const Value& row, std::string_view name) {
  const Value* const member = row.find(name);
  return member == nullptr ? "(none)" : member->print();
}

pod::ContainerStats sample(std::int64_t time, std::uint64_t cpu) {
  pod::ContainerStats stats{.id = std::string(64, 'a'),
                            .name = "web",
                            .running = true,
                            .time = time,
                            .group = {},
                            .interfaces = {}};
  stats.group.cpu.emplace().usage = cpu;
  stats.group.memory.emplace().working_set = 50u << 20;
  stats.memory_limit = 200u << 20;
  stats.group.pids.emplace().current = 3;
  stats.group.block.emplace().service_bytes = {
      {8, 0, "Read", 1500}, {8, 16, "Read", 500}, {8, 0, "Write", 7}};
  stats.interfaces = {{.name = "eth0", .rx_bytes = 1234, .tx_bytes = 0}, {.name = "eth1", .rx_bytes = 766}};
  return stats;
}

TEST(StatsView, SizesHaveFourDigits) {
  EXPECT_EQ(binary_size(0), "0B");
  EXPECT_EQ(binary_size(1023), "1023B");
  EXPECT_EQ(binary_size(1024), "1KiB");
  EXPECT_EQ(binary_size(12'900'000), "12.3MiB");
  EXPECT_EQ(binary_size(1'944ull << 20), "1.898GiB");
}

TEST(StatsView, ARowIsWhatHappenedBetweenTwoSamples) {
  const Value row = stats_row("web", sample(0, 0), sample(2'000'000'000, 500'000'000), true);
  EXPECT_EQ(field(row, "ID"), std::string(12, 'a'));
  EXPECT_EQ(field(row, "Name"), "web");
  EXPECT_EQ(field(row, "CPUPerc"), "25.00%");
  EXPECT_EQ(field(row, "MemUsage"), "50MiB / 200MiB");
  EXPECT_EQ(field(row, "MemPerc"), "25.00%");
  EXPECT_EQ(field(row, "NetIO"), "2kB / 0B");
  EXPECT_EQ(field(row, "BlockIO"), "2kB / 7B");
  EXPECT_EQ(field(row, "PIDs"), "3");
}

TEST(StatsView, WithoutAnEarlierSampleTheShareIsNotKnown) {
  EXPECT_EQ(field(stats_row("web", {}, sample(5, 5), true), "CPUPerc"), "--");
  // Started anew: its group counts from 0 again.
  EXPECT_EQ(field(stats_row("web", sample(0, 500), sample(5, 5), true), "CPUPerc"), "--");
}

TEST(StatsView, WhatDoesNotRunUsesNothing) {
  pod::ContainerStats stopped{.id = std::string(64, 'b'), .name = "job", .group = {}, .interfaces = {}};
  const Value row = stats_row("job", sample(0, 0), stopped, false);
  EXPECT_EQ(field(row, "ID"), stopped.id);
  EXPECT_EQ(field(row, "CPUPerc"), "0.00%");
  EXPECT_EQ(field(row, "MemUsage"), "0B / 0B");
  EXPECT_EQ(field(row, "PIDs"), "0");
}

}  // namespace
}  // namespace fermata::cli
