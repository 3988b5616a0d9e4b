#include "pod/user_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

using testing::HasSubstr;

TEST(UserIds, SubordinateIdsOfOneOwner) {
  const auto spans = parse_subordinate_ids(
      "root:100000:65536\ncontainers:200000:65536\n# containers:1:1\n\ncontainers:x:1\n"
      "containers:4294967294:65536\ncontainers:300000:131072",
      "containers");
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[0].first, 200000u);
  EXPECT_EQ(spans[1].size, 1u);
  EXPECT_EQ(spans[2].size, 131072u);
}

TEST(UserIds, LowestFreeRangeIsTaken) {
  const std::vector<IdSpan> offered = {{200000, 200000}};
  EXPECT_EQ(free_range(offered, {}), 200000u);
  EXPECT_EQ(free_range(offered, {{200000, 65536}}), 265536u);
  EXPECT_EQ(free_range(offered, {{265536, 65536}}), 200000u);
  EXPECT_EQ(free_range(offered, {{200001, 1}}), 200002u);
  EXPECT_EQ(free_range(offered, {{0, 1000000}}), std::nullopt);
  EXPECT_EQ(free_range(offered, {{300000, 10}}), 200000u);
  EXPECT_EQ(free_range({{200000, 1000}}, {}), std::nullopt);
}

std::string complaint(std::vector<oci::IdMapping> uids, std::vector<oci::IdMapping> gids = {{0, 1, 1}}) {
  const auto checked = check_user_namespace({.uids = std::move(uids), .gids = std::move(gids)});
  return checked ? "" : checked.error().message();
}

TEST(UserIds, MappingsMustBeWhole) {
  EXPECT_EQ(complaint({{0, 100000, 65536}}), "");
  EXPECT_EQ(complaint({{1, 100001, 9}, {0, 5, 1}}), "");
  EXPECT_THAT(complaint({}), HasSubstr("user 0 must be mapped"));
  EXPECT_THAT(complaint({{0, 1, 1}}, {{1, 1, 1}}), HasSubstr("group 0 must be mapped"));
  EXPECT_THAT(complaint({{0, 1, 0}}), HasSubstr("no such user ids: 0:1:0"));
  EXPECT_THAT(complaint({{0, 4294967290, 65536}}), HasSubstr("no such"));
  EXPECT_THAT(complaint({{0, 100, 10}, {10, 105, 10}}), HasSubstr("0:100:10 and 10:105:10 overlap"));
  EXPECT_THAT(complaint({{0, 100, 10}, {9, 200, 10}}), HasSubstr("overlap"));
}

}  // namespace
}  // namespace fermata::pod
