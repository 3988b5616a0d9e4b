#include "bundle/group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::bundle {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Engines hand down what their users once wrote for version 1; other runtimes ignore it on version 2.
TEST(GroupTest, LimitsThatOnlyVersion1HasAreLeftOutInWords) {
  kernel::CgroupLimits limits = {
      .memory_max = 1, .memory_kernel_max = 2, .memory_kernel_tcp_max = 3, .memory_swappiness = 60};
  EXPECT_THAT(drop_limits_of_v1(&limits),
              ElementsAre(HasSubstr("memory.kernel is"), HasSubstr("memory.kernelTCP is"),
                          HasSubstr("memory.swappiness is")));
  EXPECT_FALSE(limits.memory_kernel_max || limits.memory_kernel_tcp_max || limits.memory_swappiness);
  EXPECT_EQ(limits.memory_max, 1u);
  EXPECT_TRUE(drop_limits_of_v1(&limits).empty());
}

}  // namespace
}  // namespace fermata::bundle
