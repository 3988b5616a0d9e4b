#include "scope/scope_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::scope {
namespace {

TEST(SliceDirectory, ExpandsDashes) {
  EXPECT_EQ(slice_directory("system.slice").value_or("?"), "system.slice");
  EXPECT_EQ(slice_directory("a-b-c.slice").value_or("?"), "a.slice/a-b.slice/a-b-c.slice");
  EXPECT_EQ(slice_directory("-.slice").value_or("?"), "");
}

TEST(SliceDirectory, RefusesWhatIsNone) {
  for (const char* slice : {"", ".slice", "a", "a.scope", "a/b.slice", "-a.slice", "a-.slice", "a--b.slice",
                            "../x.slice", "a b.slice"})
    EXPECT_FALSE(slice_directory(slice)) << slice;
  EXPECT_FALSE(slice_directory(std::string(256, 'a') + ".slice"));
}

TEST(ParentSlice, IsNamedOrTheEndOfAPath) {
  EXPECT_EQ(parent_slice("kubepods.slice").value_or("?"), "kubepods.slice");
  EXPECT_EQ(
      parent_slice("kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice").value_or("?"),
      "kubepods-besteffort-pod1_2.slice");
  EXPECT_EQ(parent_slice("/a.slice/a-b.slice").value_or("?"), "a-b.slice");
  for (const char* parent : {"", "/", "kubepods", "kubepods.slice/pod1", "a.slice/"})
    EXPECT_FALSE(parent_slice(parent)) << parent;
  EXPECT_THAT(parent_slice("kubepods/pod1").error().message(), testing::HasSubstr("'kubepods/pod1'"));
}

TEST(ScopeName, IsReadFromThreeParts) {
  const auto name = parse_scope_name("kubepods-besteffort.slice:cri:web", "id");
  ASSERT_TRUE(name) << name.error().message();
  EXPECT_EQ(name->slice, "kubepods-besteffort.slice");
  EXPECT_EQ(name->unit, "cri-web.scope");
}

TEST(ScopeName, HasDefaults) {
  EXPECT_EQ(parse_scope_name("", "c1")->slice, "system.slice");
  EXPECT_EQ(parse_scope_name("", "c1")->unit, "fermata-c1.scope");
  EXPECT_EQ(parse_scope_name("::c2", "c1")->slice, "system.slice");
  EXPECT_EQ(parse_scope_name("::c2", "c1")->unit, "c2.scope");
}

TEST(ScopeName, RefusesPathsAndBrokenParts) {
  for (const char* path : {"/sys/fs", "a/b", "system.slice:x", "system.slice:x:", "nonsense:x:y",
                           "a.slice:x:y/z", "a.slice:x:y:z"}) {
    const auto name = parse_scope_name(path, "id");
    ASSERT_FALSE(name) << path;
    EXPECT_THAT(name.error().message(), testing::HasSubstr(path));
  }
}

}  // namespace
}  // namespace fermata::scope
