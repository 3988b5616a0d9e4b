#include "runtime/mount_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "runtime/cgroup_mounts.h"

namespace fermata::runtime {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kNoSymfollow = 0x00200000;

TEST(MountOptions, FlagsAndDataOfAFileSystem) {
  const auto options =
      parse_mount_options({"nosuid", "noexec", "strictatime", "mode=755", "", "size=64k", "sync", "lazytime",
                           "async", "relatime", "iversion", "silent", "rnodev"});
  EXPECT_EQ(options.flags, static_cast<std::uint32_t>(MS_NOSUID | MS_NOEXEC | MS_LAZYTIME | MS_RELATIME |
                                                      MS_I_VERSION | MS_SILENT | MS_NODEV));
  EXPECT_EQ(options.data, "mode=755,size=64k");
  EXPECT_FALSE(options.binds());
  EXPECT_FALSE(options.copy_up);
}

TEST(MountOptions, BindTakesOnlyWhatIsNamed) {
  auto options = parse_mount_options({"rbind", "ro", "suid", "nosymfollow"});
  EXPECT_TRUE(options.binds());
  EXPECT_EQ(options.attributes.set, MOUNT_ATTR_RDONLY | kNoSymfollow);
  EXPECT_EQ(options.attributes.clear, static_cast<std::uint64_t>(MOUNT_ATTR_NOSUID));
  EXPECT_EQ(options.attributes.set_below, 0u);
  options = parse_mount_options({"bind"});
  EXPECT_EQ(options.attributes, kernel::MountAttributes{});
}

TEST(MountOptions, TheLastWordCounts) {
  const auto options =
      parse_mount_options({"ro", "rw", "nodev", "rro", "rrw", "exec", "noexec", "shared", "rslave"});
  EXPECT_EQ(options.attributes.set, static_cast<std::uint64_t>(MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  EXPECT_EQ(options.attributes.clear, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY));
  EXPECT_EQ(options.attributes.clear_below, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY));
  EXPECT_EQ(options.attributes.propagation, static_cast<std::uint64_t>(MS_SLAVE | MS_REC));
}

TEST(MountOptions, AccessTimesAreOneField) {
  const auto options = parse_mount_options({"noatime", "strictatime", "nodiratime", "rnoatime"});
  EXPECT_EQ(options.attributes.set,
            static_cast<std::uint64_t>(MOUNT_ATTR_STRICTATIME | MOUNT_ATTR_NODIRATIME));
  EXPECT_EQ(options.attributes.clear, static_cast<std::uint64_t>(MOUNT_ATTR__ATIME));
  EXPECT_EQ(options.attributes.set_below, static_cast<std::uint64_t>(MOUNT_ATTR_NOATIME));
  EXPECT_EQ(options.attributes.clear_below, static_cast<std::uint64_t>(MOUNT_ATTR__ATIME));
}

// The table of the runtime specification, "Linux mount options": none of it may reach a file system as data.
TEST(MountOptions, EveryWordOfTheSpecificationIsKnown) {
  for (const char* word : {"async",
                           "atime",
                           "bind",
                           "defaults",
                           "dev",
                           "diratime",
                           "dirsync",
                           "exec",
                           "iversion",
                           "lazytime",
                           "loud",
                           "mand",
                           "noatime",
                           "nodev",
                           "nodiratime",
                           "noexec",
                           "noiversion",
                           "nolazytime",
                           "nomand",
                           "norelatime",
                           "nostrictatime",
                           "nosuid",
                           "nosymfollow",
                           "private",
                           "ratime",
                           "rbind",
                           "rdev",
                           "rdiratime",
                           "relatime",
                           "remount",
                           "rexec",
                           "rnoatime",
                           "rnodev",
                           "rnodiratime",
                           "rnoexec",
                           "rnorelatime",
                           "rnostrictatime",
                           "rnosuid",
                           "rnosymfollow",
                           "ro",
                           "rprivate",
                           "rrelatime",
                           "rro",
                           "rrw",
                           "rshared",
                           "rslave",
                           "rstrictatime",
                           "rsuid",
                           "rsymfollow",
                           "runbindable",
                           "rw",
                           "shared",
                           "silent",
                           "slave",
                           "strictatime",
                           "suid",
                           "symfollow",
                           "sync",
                           "tmpcopyup",
                           "unbindable",
                           "idmap",
                           "ridmap"})
    EXPECT_EQ(parse_mount_options({word}).data, "") << word;
  EXPECT_EQ(parse_mount_options({"ridmap"}).idmap, MountOptions::Idmap::recursive);
  EXPECT_TRUE(parse_mount_options({"tmpcopyup"}).copy_up);
  EXPECT_TRUE(parse_mount_options({"remount"}).remounts());
}

std::vector<std::string> describe(const std::vector<oci::Mount>& mounts) {
  std::vector<std::string> lines;
  for (const oci::Mount& mount : mounts) {
    std::string line = mount.type + " " + mount.source + " " + mount.destination;
    for (const std::string& option : mount.options) line += (option.empty() ? "" : " ") + option;
    lines.push_back(line);
  }
  return lines;
}

TEST(CgroupMounts, BecomeWhatTheHostHas) {
  const std::vector<oci::Mount> given = {
      {.destination = "/proc", .type = "proc", .source = "proc"},
      {.destination = "/sys/fs/cgroup", .type = "cgroup", .source = "cgroup", .options = {"nosuid", "ro"}},
      {.destination = "/one", .type = "cgroup", .source = "cgroup", .options = {"memory"}}};
  EXPECT_TRUE(has_cgroup_mount(given));
  auto mounts = given;
  expand_cgroup_mounts(&mounts, {.unified = "/sys/fs/cgroup"}, "");
  EXPECT_THAT(describe(mounts), ElementsAre("proc proc /proc", "cgroup2 cgroup /sys/fs/cgroup nosuid ro",
                                            "cgroup cgroup /one memory"));
  EXPECT_FALSE(has_cgroup_mount(mounts));
  const kernel::CgroupMounts hybrid = {
      .unified = "/sys/fs/cgroup/unified",
      .v1 = {{"cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"}, {"name=systemd", "/sys/fs/cgroup/systemd"}}};
  mounts = given;
  expand_cgroup_mounts(&mounts, hybrid, "");
  EXPECT_THAT(describe(mounts),
              ElementsAre("proc proc /proc", "tmpfs tmpfs /sys/fs/cgroup nosuid ro mode=755",
                          "cgroup cgroup /sys/fs/cgroup/cpu,cpuacct nosuid ro cpu,cpuacct",
                          "cgroup cgroup /sys/fs/cgroup/systemd nosuid ro none name=systemd",
                          "cgroup2 cgroup /sys/fs/cgroup/unified nosuid ro", "cgroup cgroup /one memory"));
  mounts = given;
  expand_cgroup_mounts(&mounts, hybrid, "a/b");
  EXPECT_EQ(describe(mounts)[2],
            "cgroup /sys/fs/cgroup/cpu,cpuacct/a/b /sys/fs/cgroup/cpu,cpuacct nosuid ro bind");
  EXPECT_EQ(describe(mounts)[4], "cgroup2 /sys/fs/cgroup/unified/a/b /sys/fs/cgroup/unified nosuid ro bind");
  mounts = given;
  expand_cgroup_mounts(&mounts, {.unified = "/sys/fs/cgroup"}, "a/b");
  EXPECT_EQ(describe(mounts)[1], "cgroup2 /sys/fs/cgroup/a/b /sys/fs/cgroup nosuid ro bind");
  EXPECT_FALSE(has_cgroup_mount({mounts[1]}));
}

}  // namespace
}  // namespace fermata::runtime
