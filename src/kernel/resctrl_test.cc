#include "kernel/resctrl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/files.h"

namespace fermata::kernel {
namespace {

using testing::HasSubstr;

// The file system made of plain directories: what it would fill by itself is not there.
class FakeResctrl : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/resctrl-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    put("schemata", "    L3:0=fff;1=fff\n    MB:0=100;1=100\n");
    put("tasks");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& path, const std::string& text = "") {
    ASSERT_TRUE(make_directories((root_ / path).parent_path()));
    ASSERT_TRUE(write_file(root_ / path, text));
  }
  std::string get(const std::string& path) { return read_file(root_ / path).value_or("(absent)"); }
  bool has(const std::string& path) { return std::filesystem::exists(root_ / path); }
  Resctrl resctrl() { return Resctrl(root_); }

  std::filesystem::path root_;
};

TEST_F(FakeResctrl, TheDefaultGroupIsTheMountAndIsNeverRemoved) {
  const auto group = resctrl().make({.group = "/", .pinned = {}, .lines = {}, .monitor = ""});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_EQ(group->path, root_);
  ASSERT_TRUE(resctrl().add_process(*group, 41));
  EXPECT_EQ(get("tasks"), "41");
  EXPECT_TRUE(remove_resctrl_group(*group));
  EXPECT_TRUE(has("tasks"));
}

TEST_F(FakeResctrl, AGroupOfOurOwnIsMadeAndRemoved) {
  const auto group = resctrl().make({.group = "box", .pinned = {}, .lines = {}, .monitor = ""});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_TRUE(group->made);
  EXPECT_TRUE(has("box"));
  EXPECT_TRUE(remove_resctrl_group(*group));
  EXPECT_FALSE(has("box"));
  EXPECT_TRUE(remove_resctrl_group(*group));
}

TEST_F(FakeResctrl, LinesGoIntoAGroupThatIsThereAndHasThemAlready) {
  put("shared/schemata", "L3:0=0ff;1=00f\n");
  put("shared/tasks");
  const auto group =
      resctrl().make({.group = "shared", .pinned = {"L3:0=ff"}, .lines = {"L3:1=f"}, .monitor = ""});
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_FALSE(group->made);
  EXPECT_THAT(get("shared/schemata"), HasSubstr("L3:1=f"));
  EXPECT_TRUE(remove_resctrl_group(*group));
  EXPECT_TRUE(has("shared/tasks"));
}

TEST_F(FakeResctrl, OtherSharesOfAGroupThatIsThereAreNotOverwritten) {
  put("shared/schemata", "L3:0=0ff\n");
  const auto group = resctrl().make({.group = "shared", .pinned = {"L3:0=1"}, .lines = {}, .monitor = ""});
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().kind(), ErrorKind::conflict);
  EXPECT_THAT(group.error().message(), HasSubstr("has other shares than 'L3:0=1'"));
  EXPECT_EQ(get("shared/schemata"), "L3:0=0ff\n");
}

TEST_F(FakeResctrl, AGroupThatHasToBeThereIsNotMade) {
  const auto group =
      resctrl().make({.group = "gold", .must_exist = true, .pinned = {}, .lines = {}, .monitor = ""});
  ASSERT_FALSE(group);
  EXPECT_THAT(group.error().message(), HasSubstr("has to be there when no schemata are given"));
  EXPECT_FALSE(has("gold"));
}

TEST_F(FakeResctrl, AFailureLeavesNothingAndTellsWhatTheKernelSaid) {
  put("info/last_cmd_status", "Mask out of range\n");
  // A group that was just made has no file of schemata here.
  const auto group = resctrl().make({.group = "box", .pinned = {}, .lines = {"L3:0=fffff"}, .monitor = ""});
  ASSERT_FALSE(group);
  EXPECT_THAT(group.error().message(), HasSubstr("'L3:0=fffff'"));
  EXPECT_THAT(group.error().message(), HasSubstr("(Mask out of range)"));
  EXPECT_FALSE(has("box"));
}

TEST_F(FakeResctrl, ProcessesAreCountedInAGroupOfTheirOwn) {
  ASSERT_TRUE(make_directories(root_ / "shared/mon_groups"));
  put("shared/tasks");
  const ResctrlRequest request = {.group = "shared", .pinned = {}, .lines = {}, .monitor = "box"};
  const auto group = resctrl().make(request);
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_EQ(group->monitor_path, root_ / "shared/mon_groups/box");
  const auto again = resctrl().make(request);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), ErrorKind::conflict);
  EXPECT_TRUE(remove_resctrl_group(*group));
  EXPECT_FALSE(has("shared/mon_groups/box"));
  EXPECT_TRUE(has("shared"));
}

TEST_F(FakeResctrl, NamesThatLeaveTheFileSystemAreRefused) {
  for (const char* name : {"", ".", "..", "../x", "a/b", "info", "mon_groups"}) {
    const auto group = resctrl().make({.group = name, .pinned = {}, .lines = {}, .monitor = ""});
    ASSERT_FALSE(group) << name;
    EXPECT_EQ(group.error().kind(), ErrorKind::invalid_argument) << name;
  }
  EXPECT_FALSE(resctrl().make({.group = "a", .pinned = {}, .lines = {"L3:0=1\nMB:0=1"}, .monitor = ""}));
}

TEST(ResctrlMount, IsFoundInMountinfo) {
  EXPECT_EQ(resctrl_mount("25 1 0:22 / /sys rw shared:7 - sysfs sysfs rw\n"
                          "98 25 0:70 / /mnt/my\\040rdt rw - resctrl resctrl rw,mba_MBps\n"),
            "/mnt/my rdt");
  EXPECT_EQ(resctrl_mount("25 1 0:22 / /resctrl rw - tmpfs resctrl rw\n"), "");
}

TEST(ResctrlSchemata, CompareByDomain) {
  constexpr char kFile[] = "    L3:0=0fff;1=000f\n    MB:0= 50;1=100\n";
  EXPECT_TRUE(has_schemata(kFile, {"L3:1=F"}));
  EXPECT_TRUE(has_schemata(kFile, {"L3:00=fff", "MB:0=50"}));
  EXPECT_FALSE(has_schemata(kFile, {"MB:0=5"}));
  EXPECT_FALSE(has_schemata(kFile, {"L2:0=f"}));
}

}  // namespace
}  // namespace fermata::kernel
