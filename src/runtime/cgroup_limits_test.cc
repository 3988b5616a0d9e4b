#include "runtime/cgroup_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::runtime {
namespace {

using kernel::kNoLimit;
using testing::HasSubstr;

oci::Resources memory(std::optional<std::int64_t> limit, std::optional<std::int64_t> swap) {
  oci::Resources resources;
  resources.memory_limit = limit;
  resources.memory_swap = swap;
  return resources;
}

std::string refusal(const oci::Resources& resources) {
  const auto limits = limits_of(resources);
  if (limits) return "(accepted)";
  EXPECT_EQ(limits.error().kind(), ErrorKind::invalid_argument);
  return limits.error().message();
}

TEST(LimitsOf, LeavesWhatIsAbsentOrZero) {
  oci::Resources resources = memory(0, 0);
  resources.cpu_shares = 0;
  resources.cpu_quota = 0;
  resources.cpu_period = 0;
  resources.pids_limit = 0;
  resources.blkio_weight = 0;
  resources.network_class_id = 0;
  const auto limits = limits_of(resources);
  ASSERT_TRUE(limits);
  EXPECT_FALSE(limits->memory_max || limits->memory_swap_max || limits->cpu_shares || limits->cpu_quota ||
               limits->cpu_period || limits->pids_max || limits->block_weight || limits->network_class ||
               limits->cpuset_cpus || limits->memory_swappiness || limits->disable_oom_killer);
}

TEST(LimitsOf, ReadsMinusOneAsNoLimit) {
  oci::Resources resources = memory(-1, std::nullopt);
  resources.cpu_quota = -1;
  resources.pids_limit = -1;
  resources.memory_swappiness = ~std::uint64_t{0};
  const auto limits = limits_of(resources);
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->memory_max, kNoLimit);
  EXPECT_EQ(limits->memory_swap_max, kNoLimit) << "memory without limit takes swap along";
  EXPECT_EQ(limits->cpu_quota, -1);
  EXPECT_EQ(limits->pids_max, -1);
  EXPECT_FALSE(limits->memory_swappiness);
}

TEST(LimitsOf, ChecksSwapAgainstMemory) {
  EXPECT_THAT(refusal(memory(4096, 1024)), HasSubstr("memory.swap: 1024"));
  EXPECT_THAT(refusal(memory(std::nullopt, 4096)), HasSubstr("needs memory.limit"));
  EXPECT_EQ(limits_of(memory(std::nullopt, -1))->memory_swap_max, kNoLimit);
  EXPECT_EQ(limits_of(memory(4096, 4096))->memory_swap_max, 4096u);
  EXPECT_EQ(limits_of(memory(-1, 4096))->memory_swap_max, 4096u);
  EXPECT_THAT(refusal(memory(-2, std::nullopt)), HasSubstr("memory.limit: -2"));
}

TEST(LimitsOf, ChecksRanges) {
  oci::Resources resources;
  resources.memory_swappiness = 101;
  EXPECT_THAT(refusal(resources), HasSubstr("swappiness: 101"));
  resources = {};
  resources.blkio_weight = 9;
  EXPECT_THAT(refusal(resources), HasSubstr("blockIO.weight: 9"));
  resources = {};
  resources.blkio_weight_devices = {{.major = 8, .minor = 0, .weight = 1001, .leaf_weight = {}}};
  EXPECT_THAT(refusal(resources), HasSubstr("1001"));
  resources = {};
  resources.cpu_idle = 2;
  EXPECT_THAT(refusal(resources), HasSubstr("cpu.idle: 2"));
}

TEST(LimitsOf, RefusesNamesThatWouldBreakAFileOrALine) {
  oci::Resources resources;
  for (const char* size : {"", "2", "MB", "../x/2MB", "2TB", "0MB"}) {
    resources.hugepages = {{size, 1}};
    EXPECT_THAT(refusal(resources), HasSubstr("pageSize")) << size;
  }
  resources = {};
  resources.rdma["mlx5 1"] = {};
  EXPECT_THAT(refusal(resources), HasSubstr("mlx5 1"));
  resources = {};
  resources.network_priorities = {{"eth0\n", 1}};
  EXPECT_THAT(refusal(resources), HasSubstr("network.priorities"));
}

TEST(LimitsOf, ReadsDeviceRules) {
  oci::Resources resources;
  resources.devices = {{.allow = false, .type = 'a', .major = {}, .minor = {}, .access = "rwm"},
                       {.allow = true, .type = 'u', .major = 10, .minor = {}, .access = "r"}};
  const auto limits = limits_of(resources);
  ASSERT_TRUE(limits);
  ASSERT_EQ(limits->devices.size(), 2u);
  EXPECT_EQ(limits->devices[0].major, -1);
  EXPECT_EQ(limits->devices[1].type, 'u');
  EXPECT_EQ(limits->devices[1].major, 10);
  EXPECT_EQ(limits->devices[1].minor, -1);
  resources.devices[1].access = "";
  EXPECT_THAT(refusal(resources), HasSubstr("access ''"));
  resources.devices[1] = {.allow = true, .type = 'x', .major = {}, .minor = {}, .access = "r"};
  EXPECT_THAT(refusal(resources), HasSubstr("type 'x'"));
}

TEST(LimitsOf, PassesTheRestOn) {
  oci::Resources resources;
  resources.cpu_burst = 0;
  resources.cpuset_mems = "0";
  resources.hugepages = {{"2MB", 4 << 20}};
  resources.rdma["mlx5_1"] = {.hca_handles = 3, .hca_objects = {}};
  resources.blkio_read_bps = {{.major = 8, .minor = 16, .rate = 600}};
  resources.unified = {{"memory.high", "1024"}};
  const auto limits = limits_of(resources);
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->cpu_burst, 0u);
  EXPECT_EQ(limits->cpuset_mems, "0");
  EXPECT_EQ(limits->hugepages.at(0).bytes, 4u << 20);
  EXPECT_EQ(limits->rdma.at("mlx5_1").handles, 3u);
  EXPECT_EQ(limits->block_read_bytes.at(0).minor, 16);
  EXPECT_EQ(limits->unified.at("memory.high"), "1024");
}

}  // namespace
}  // namespace fermata::runtime
