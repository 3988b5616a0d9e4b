#include "bundle/record.h"

#include <gtest/gtest.h>

namespace fermata::bundle {
namespace {

TEST(RecordTest, KeepsWhetherHooksAreLeft) {
  for (const bool start : {false, true}) {
    Record record = {.id = "c", .cgroup = "c", .start_hooks = start, .stop_hooks = !start};
    const auto again = parse_record(format_record(record));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->start_hooks, start);
    EXPECT_EQ(again->stop_hooks, !start);
  }
}

// An earlier version wrote no word of hooks: they may be there.
TEST(RecordTest, AnEarlierRecordMayHaveHooks) {
  const auto record = parse_record(R"({"id":"c","bundle":"/b","root":"/r","pid":1,"pidStart":2,"created":3,
    "owner":"root","cgroup":"c","scope":"","program":"/bin/true","firstStep":0,"steps":[]})");
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_TRUE(record->start_hooks);
  EXPECT_TRUE(record->stop_hooks);
}

}  // namespace
}  // namespace fermata::bundle
