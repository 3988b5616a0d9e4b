#include "runtime/user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a comment\n"
    "broken line\n"
    "bad:x:abc:1::/:\n"
    "app:x:1000:1001::/home/app:/bin/sh\r\n"
    "nohome:x:1002:1002";
constexpr char kGroup[] = "root:x:0:root\nstaff:x:50:app,root\naudio:x:29:\nusers:x:100:app\n";

ResolvedUser resolve(std::string_view spec, const std::vector<std::string>& extra = {}) {
  auto user = resolve_user(spec, kPasswd, kGroup, extra);
  EXPECT_TRUE(user) << spec;
  return user ? *user : ResolvedUser{};
}

TEST(ResolveUser, NobodyAskedForIsRoot) {
  const auto user = resolve("");
  EXPECT_EQ(user.user.uid, 0u);
  EXPECT_EQ(user.home, "/root");
  EXPECT_THAT(user.user.additional_gids, ElementsAre(0, 50));
}

TEST(ResolveUser, NameBringsItsGroups) {
  const auto user = resolve("app");
  EXPECT_EQ(user.user.uid, 1000u);
  EXPECT_EQ(user.user.gid, 1001u);
  EXPECT_EQ(user.home, "/home/app");
  EXPECT_THAT(user.user.additional_gids, ElementsAre(1001, 50, 100));
}

TEST(ResolveUser, GivenGroupReplacesTheOthers) {
  const auto user = resolve("app:staff");
  EXPECT_EQ(user.user.gid, 50u);
  EXPECT_THAT(user.user.additional_gids, ElementsAre(50));
  EXPECT_EQ(resolve("app:7").user.gid, 7u);
}

TEST(ResolveUser, NumberNeedsNoEntry) {
  const auto user = resolve("4242");
  EXPECT_EQ(user.user.uid, 4242u);
  EXPECT_EQ(user.user.gid, 0u);
  EXPECT_EQ(user.name, "");
  EXPECT_EQ(user.home, "/");
  EXPECT_EQ(resolve("1000").name, "app");
  EXPECT_EQ(resolve("nohome").home, "/");
}

TEST(ResolveUser, ExtraGroupsByNameOrNumber) {
  EXPECT_THAT(resolve("app:staff", {"audio", "77", "staff"}).user.additional_gids, ElementsAre(50, 29, 77));
}

TEST(ResolveUser, UnknownNamesInDockersWords) {
  EXPECT_THAT(resolve_user("foo", kPasswd, kGroup, {}).error().message(),
              HasSubstr("unable to find user foo: no matching entries in passwd file"));
  EXPECT_THAT(resolve_user("app:foo", kPasswd, kGroup, {}).error().message(),
              HasSubstr("unable to find group foo: no matching entries in group file"));
  EXPECT_FALSE(resolve_user("4294967296", "", "", {}));
  EXPECT_FALSE(resolve_user("bad", kPasswd, kGroup, {}));
  EXPECT_FALSE(resolve_user("-1", "", "", {}));
}

}  // namespace
}  // namespace fermata::runtime
