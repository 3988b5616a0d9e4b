#include "runtime/stream_owner.h"

#include <gtest/gtest.h>

namespace fermata::runtime {
namespace {

TEST(StreamOwner, IdsAreThoseOfTheirRange) {
  const std::vector<oci::IdMapping> mappings = {{0, 1000, 1}, {1, 100000, 65535}};
  EXPECT_EQ(host_id(mappings, 0), 1000u);
  EXPECT_EQ(host_id(mappings, 1), 100000u);
  EXPECT_EQ(host_id(mappings, 65535), 165534u);
  EXPECT_FALSE(host_id(mappings, 65536));
  EXPECT_FALSE(host_id({}, 0));
}

}  // namespace
}  // namespace fermata::runtime
