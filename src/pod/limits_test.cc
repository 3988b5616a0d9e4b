#include "pod/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

using testing::HasSubstr;

std::string refusal(const Resources& old, const Resources& changes) {
  const auto changed = change_resources(old, changes);
  return changed ? "" : changed.error().message();
}

TEST(Limits, WhatIsNotGivenStaysAsItWas) {
  const auto changed = change_resources({.memory = 64u << 20, .cpus = 1.5}, {.pids_limit = 9});
  ASSERT_TRUE(changed) << changed.error().message();
  EXPECT_EQ(changed->memory, 64u << 20);
  EXPECT_EQ(changed->cpus, 1.5);
  EXPECT_EQ(changed->pids_limit, 9);
}

TEST(Limits, SwapThatNobodyAskedForFollowsMemory) {
  const auto changed = change_resources({.memory = 64u << 20}, {.memory = 256u << 20});
  ASSERT_TRUE(changed);
  EXPECT_EQ(limits_after_update(*changed).memory_swap_max, 512u << 20);
  EXPECT_THAT(refusal({.memory = 64u << 20, .memory_swap = 100 << 20}, {.memory = 256u << 20}),
              HasSubstr("update the memoryswap at the same time"));
  EXPECT_EQ(refusal({.memory = 64u << 20, .memory_swap = 100 << 20},
                    {.memory = 256u << 20, .memory_swap = 300 << 20}),
            "");
}

TEST(Limits, ThatContradictAreRefused) {
  EXPECT_THAT(refusal({.cpus = 1}, {.cpu_quota = 5000}), HasSubstr("NanoCPUs has already been set"));
  EXPECT_THAT(refusal({.cpu_period = 50000}, {.cpus = 1}), HasSubstr("has already been set"));
  EXPECT_THAT(refusal({}, {.cpus = 1, .cpu_period = 50000}), HasSubstr("cannot both be set"));
  EXPECT_THAT(refusal({}, {.cpu_quota = 10}), HasSubstr("can not be less than 1ms"));
  EXPECT_THAT(refusal({}, {.memory_swap = 1 << 30}), HasSubstr("always set the Memory limit"));
  EXPECT_THAT(refusal({}, {.blkio_weight = 5}), HasSubstr("from 10 to 1000"));
}

TEST(Limits, ALimitThatIsTakenAwayIsSetToo) {
  EXPECT_FALSE(limits_of({.memory = 64u << 20, .memory_swap = -1}).memory_swap_max);
  EXPECT_EQ(limits_after_update({.memory = 64u << 20, .memory_swap = -1}).memory_swap_max, kernel::kNoLimit);
  EXPECT_EQ(limits_of({.pids_limit = -1}).pids_max, -1);
}

TEST(Limits, BackIsWhatWasThereOrNoLimitAtAll) {
  const auto back =
      limits_before_update({.memory = 64u << 20}, {.memory = 96u << 20, .cpus = 1, .pids_limit = 5});
  EXPECT_EQ(back.memory_max, 64u << 20);
  EXPECT_EQ(back.cpu_quota, -1);
  EXPECT_EQ(back.pids_max, -1);
  EXPECT_FALSE(back.cpu_shares);
}

}  // namespace
}  // namespace fermata::pod
