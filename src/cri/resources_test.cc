#include "cri/resources.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

TEST(Limits, WhatIsNotSaidIsLeft) {
  const auto limits = new_limits({}, {});
  ASSERT_TRUE(limits);
  EXPECT_FALSE(limits->memory || limits->memory_swap || limits->cpu_quota || limits->cpu_period ||
               limits->cpu_shares || limits->cpuset_cpus || limits->cpuset_mems);
  EXPECT_TRUE(limits->hugepages.empty() && limits->unified.empty());
}

TEST(Limits, GoThereAndBack) {
  v1::LinuxContainerResources asked;
  asked.set_cpu_period(100000);
  asked.set_cpu_quota(20000);
  asked.set_cpu_shares(1024);
  asked.set_memory_limit_in_bytes(64 << 20);
  asked.set_memory_swap_limit_in_bytes(64 << 20);
  asked.set_cpuset_cpus("0-1");
  asked.set_cpuset_mems("0");
  asked.set_oom_score_adj(-997);
  auto* hugepage = asked.add_hugepage_limits();
  hugepage->set_page_size("2MB");
  hugepage->set_limit(4 << 20);
  (*asked.mutable_unified())["memory.high"] = "1000000";
  pod::ContainerConfig config;
  config.resources = *new_limits(asked, {});
  config.oom_score_adj = -997;
  EXPECT_EQ(told_limits(config).SerializeAsString(), asked.SerializeAsString());
}

TEST(Limits, MemoryAloneLeavesSwapUnlimited) {
  v1::LinuxContainerResources asked;
  asked.set_memory_limit_in_bytes(64 << 20);
  EXPECT_EQ(new_limits(asked, {})->memory_swap, -1);
  EXPECT_EQ(changed_limits(asked, {})->memory_swap, std::nullopt);
  pod::ContainerConfig config;
  config.resources = *new_limits(asked, {});
  EXPECT_EQ(told_limits(config).memory_swap_limit_in_bytes(), 0);
}

TEST(Limits, WhatTheMachineDoesNotCountIsNotLimited) {
  v1::LinuxContainerResources asked;
  asked.set_memory_limit_in_bytes(64 << 20);
  asked.set_memory_swap_limit_in_bytes(64 << 20);
  asked.add_hugepage_limits()->set_page_size("1GB");
  auto* given = asked.add_hugepage_limits();
  given->set_page_size("2MB");
  given->set_limit(4 << 20);
  const auto limits = new_limits(asked, {.swap = false, .hugepages = false});
  EXPECT_EQ(limits->memory_swap, -1);
  // What was asked for and cannot be had is for the engine to refuse.
  ASSERT_EQ(limits->hugepages.size(), 1u);
  EXPECT_EQ(limits->hugepages[0].first, "2MB");
}

TEST(Limits, NegativeOnesAreRefused) {
  v1::LinuxContainerResources asked;
  asked.set_cpu_quota(-1);
  EXPECT_TRUE(new_limits(asked, {}));
  asked.set_memory_limit_in_bytes(-1);
  EXPECT_EQ(new_limits(asked, {}).error().kind(), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace fermata::cri
