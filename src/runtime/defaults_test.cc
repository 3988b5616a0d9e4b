#include "runtime/defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::runtime {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(AdjustCapabilities, AddsAndDropsInAnySpelling) {
  const auto adjusted = adjust_capabilities({"CAP_CHOWN", "CAP_KILL"}, {"net_admin", "CAP_CHOWN"}, {"Kill"});
  ASSERT_TRUE(adjusted);
  EXPECT_THAT(*adjusted, ElementsAre("CAP_CHOWN", "CAP_NET_ADMIN"));
}

TEST(AdjustCapabilities, NamesBesideAllAreExceptions) {
  const auto only = adjust_capabilities(default_capabilities(), {"CHOWN"}, {"ALL"});
  ASSERT_TRUE(only);
  EXPECT_THAT(*only, ElementsAre("CAP_CHOWN"));
  const auto but = adjust_capabilities(default_capabilities(), {"all"}, {"CHOWN"});
  ASSERT_TRUE(but);
  EXPECT_THAT(*but, Not(Contains("CAP_CHOWN")));
}

TEST(AdjustCapabilities, NamesTheNearest) {
  const auto adjusted = adjust_capabilities({}, {"NET_ADMON"}, {});
  ASSERT_FALSE(adjusted);
  EXPECT_THAT(adjusted.error().message(), HasSubstr("did you mean NET_ADMIN?"));
}

TEST(Defaults, PrivilegedHasWritableSysfs) {
  const auto writable = [](bool privileged) {
    for (const oci::Mount& mount : default_mounts(privileged))
      if (mount.type == "sysfs") return mount.options.back() == "rw";
    return false;
  };
  EXPECT_TRUE(writable(true));
  EXPECT_FALSE(writable(false));
}

}  // namespace
}  // namespace fermata::runtime
