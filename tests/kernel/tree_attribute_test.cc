// Attributes of whole trees on a tmpfs of the program's own: root. `security.` attributes can be set on every
// kind of file, whether or not the security module that they belong to is on.
#include "kernel/tree_attribute.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <utility>

#include "base/files.h"
#include "pod/selinux.h"

namespace fermata::kernel {
namespace {

constexpr char kName[] = "security.fermata";

class TreeAttribute : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);  // the one before ends with it
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("tmpfs", at_.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_TRUE(make_directories(at_ + "/tree/a/b"));
    ASSERT_TRUE(make_directories(at_ + "/outside"));
    ASSERT_TRUE(write_file(at_ + "/tree/a/b/file", "text"));
    ASSERT_TRUE(write_file(at_ + "/outside/file", "text"));
    ASSERT_EQ(::symlink((at_ + "/outside").c_str(), (at_ + "/tree/a/away").c_str()), 0);
    ASSERT_EQ(::symlink("../../outside/file", (at_ + "/tree/gone").c_str()), 0);
    ASSERT_EQ(::mkfifo((at_ + "/tree/pipe").c_str(), 0600), 0);
  }
  static std::string value(const std::string& path, const char* name = kName) {
    char text[256];
    const ssize_t size = ::lgetxattr((at_ + path).c_str(), name, text, sizeof text);
    return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
  }
  static Result<void> set(const std::string& path, const std::string& value, int flags = O_PATH) {
    TRY(const UniqueFd tree, open_file(at_ + path, flags));
    return set_tree_attribute(tree.get(), kName, value);
  }

  inline static const std::string at_ = "/mnt";
};

TEST_F(TreeAttribute, IsGivenToEverythingAndBehindNoSymlink) {
  for (const auto& [wanted, flags] : {std::pair("one", O_RDONLY | O_DIRECTORY), std::pair("two", O_PATH)}) {
    const auto done = set("/tree", wanted, flags);
    ASSERT_TRUE(done) << done.error().message();
    for (const char* path : {"", "/a", "/a/b", "/a/b/file", "/a/away", "/gone", "/pipe"})
      EXPECT_EQ(value("/tree" + std::string(path)), wanted) << path;
    EXPECT_EQ(value("/outside"), "");
    EXPECT_EQ(value("/outside/file"), "");
  }
  const UniqueFd tree = open_file(at_ + "/tree", O_PATH).value();
  EXPECT_EQ(read_attribute(tree.get(), kName).value(), "two");
  EXPECT_EQ(read_attribute(tree.get(), "security.other").value(), "");
}

TEST_F(TreeAttribute, IsGivenToASingleFile) {
  ASSERT_TRUE(set("/tree/a/b/file", "label"));
  EXPECT_EQ(value("/tree/a/b/file"), "label");
  EXPECT_EQ(value("/tree/a/b"), "");
}

TEST_F(TreeAttribute, RightFilesAreNotWritten) {
  ASSERT_TRUE(set("/tree", "label"));
  // As SELinux has it: with a zero at the end.
  ASSERT_EQ(::setxattr((at_ + "/tree").c_str(), kName, "label", 6, 0), 0);
  ASSERT_EQ(::mount(nullptr, at_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_TRUE(set("/tree", "label"));
  const auto other = set("/tree", "another");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().error_number(), EROFS);
  EXPECT_NE(other.error().message().find("/mnt/tree/"), std::string::npos) << other.error().message();
}

TEST_F(TreeAttribute, FileSystemsWithoutAreLeftAlone) {
  ASSERT_EQ(::mount("proc", (at_ + "/tree/a/b").c_str(), "proc", 0, nullptr), 0);
  const auto done = set("/tree", "label");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(value("/tree/a"), "label");
  EXPECT_EQ(value("/tree/a/b/self"), "");
  EXPECT_EQ(read_attribute(open_file(at_ + "/tree/a/b", O_PATH)->get(), kName).value(), "");
}

// SELinux itself is off here; its attribute is kept all the same.
TEST_F(TreeAttribute, VolumesAreLabelledForTheirContainers) {
  using pod::VolumeMount;
  const pod::SelinuxLabels labels{.process = "system_u:system_r:container_t:s0:c1,c2",
                                  .files = "system_u:object_r:container_file_t:s0:c1,c2"};
  ASSERT_TRUE(pod::relabel(at_ + "/tree", VolumeMount::Relabel::shared, labels, false));
  EXPECT_EQ(value("/tree/a/b/file", "security.selinux"), "system_u:object_r:container_file_t:s0");
  ASSERT_TRUE(pod::relabel(at_ + "/tree", VolumeMount::Relabel::exclusive, labels, true));
  EXPECT_EQ(value("/tree/a/b/file", "security.selinux"), labels.files);
  // A container that starts again does not walk through what is right.
  ASSERT_TRUE(write_file(at_ + "/tree/new", ""));
  ASSERT_TRUE(pod::relabel(at_ + "/tree", VolumeMount::Relabel::exclusive, labels, true));
  EXPECT_EQ(value("/tree/new", "security.selinux"), "");
  ASSERT_TRUE(pod::relabel(at_ + "/tree", VolumeMount::Relabel::exclusive, labels, false));
  EXPECT_EQ(value("/tree/new", "security.selinux"), labels.files);
  // By a symlink as well.
  ASSERT_EQ(::symlink("/usr", (at_ + "/usr").c_str()), 0);
  const auto refused = pod::relabel(at_ + "/usr", VolumeMount::Relabel::shared, labels, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message().find("'/usr' is not given another SELinux label"), 0u);
}

TEST_F(TreeAttribute, IsRefusedToWhatIsTooDeep) {
  std::string deep = at_ + "/deep";
  for (int level = 0; level < 450; ++level) deep += "/d";
  ASSERT_TRUE(make_directories(deep));
  const auto done = set("/deep", "one");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("more than 400 directories deep"), std::string::npos)
      << done.error().message();
  EXPECT_EQ(value("/deep"), "");
}

}  // namespace
}  // namespace fermata::kernel
