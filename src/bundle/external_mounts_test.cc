#include "bundle/external_mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::bundle {
namespace {

using testing::ElementsAre;
using testing::Pair;

kernel::MountLine mount(std::uint64_t id, std::uint64_t parent, const std::string& point) {
  return {.point = point, .type = "tmpfs", .super_options = "rw", .id = id, .parent = parent};
}

const std::vector<kernel::MountLine> kMounts = {mount(10, 1, "/"),
                                                mount(11, 10, "/proc"),
                                                mount(12, 10, "/dev"),
                                                mount(13, 12, "/dev/shm"),
                                                mount(14, 10, "/data"),
                                                mount(15, 14, "/data/below"),
                                                mount(16, 15, "/data/below/more"),
                                                mount(17, 11, "/proc/sys"),
                                                mount(18, 11, "/proc/kcore"),
                                                mount(19, 14, "/data/own"),
                                                mount(20, 19, "/data/own/inner")};

TEST(ExternalMountsTest, AreWhatWasBoundAndAllBelowIt) {
  const KnownMounts known = {{10, ""},      {11, ""},          {12, ""}, {13, "/dev/shm"},
                             {14, "/data"}, {18, kNullDevice}, {19, ""}};
  EXPECT_THAT(
      external_mounts(kMounts, known),
      ElementsAre(Pair("/dev/shm", "/dev/shm"), Pair("/data", "/data"), Pair("/data/below", "/data/below"),
                  Pair("/data/below/more", "/data/below/more"), Pair("/proc/kcore", kNullDevice)));
}

// A destination that leads through a symlink: the restore knows it by what was asked for.
TEST(ExternalMountsTest, HaveTheKeyOfTheSpecification) {
  EXPECT_THAT(
      external_mounts({mount(1, 0, "/"), mount(2, 1, "/run/secrets")}, {{1, ""}, {2, "/var/run/secrets"}}),
      ElementsAre(Pair("/run/secrets", "/var/run/secrets")));
}

TEST(ExternalMountsTest, WhatIsUnknownIsLeftToCriu) {
  EXPECT_TRUE(external_mounts(kMounts, {}).empty());
  EXPECT_TRUE(external_mounts({mount(2, 3, "/a"), mount(3, 2, "/b")}, {{9, "/x"}}).empty());
}

TEST(ExternalMountsTest, TheHostsOwnRootIsNone) {
  const auto found = external_mounts_of({}, ::getpid());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_TRUE(found->empty() || found->front().first != "/");
}

}  // namespace
}  // namespace fermata::bundle
