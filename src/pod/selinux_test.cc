#include "pod/selinux.h"

#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

constexpr std::string_view kPolicy = "system_u:object_r:container_file_t:s0";

TEST(Selinux, WhatIsLeftOutOfALabelIsThePolicys) {
  EXPECT_EQ(process_label("", "", "", ""), "");
  EXPECT_EQ(process_label("", "", "", "s0:c1,c2"), "system_u:system_r:container_t:s0:c1,c2");
  EXPECT_EQ(process_label("u", "r", "t", "s1"), "u:r:t:s1");
}

TEST(Selinux, FindsThePolicyAndItsLabelOfFiles) {
  EXPECT_EQ(policy_name("# This file\nSELINUX=enforcing\nSELINUXTYPE=mls \n"), "mls");
  EXPECT_EQ(policy_name(""), "targeted");
  EXPECT_EQ(file_label("process = \"system_u:system_r:container_t:s0\"\nfile = \"u:object_r:x_file_t:s0\"\n"),
            "u:object_r:x_file_t:s0");
  EXPECT_EQ(file_label("file = \"damaged\"\n"), kPolicy);
  EXPECT_EQ(file_label(""), kPolicy);
}

TEST(Selinux, FilesHaveTheLevelOfTheirContainer) {
  const std::string own = files_label("system_u:system_r:container_t:s0:c1,c2", kPolicy);
  EXPECT_EQ(own, "system_u:object_r:container_file_t:s0:c1,c2");
  EXPECT_EQ(shared_label(own), kPolicy);
  EXPECT_EQ(files_label("no label", kPolicy), "");
  EXPECT_EQ(shared_label(""), "");
}

TEST(Selinux, LabelsOfTheHostAreKept) {
  for (const char* host : {"/", "/usr", "/etc", "/home", "/home/user", "/root", "/var/lib", "/tmp", "/proc/1",
                           "/dev/sda", "/etc/passwd", "/boot/grub"}) {
    const auto checked = check_relabel(host);
    ASSERT_FALSE(checked) << host;
    EXPECT_EQ(checked.error().kind(), ErrorKind::invalid_argument);
    EXPECT_NE(checked.error().message().find("'" + std::string(host) + "'"), std::string::npos);
  }
  for (const char* own : {"/home/user/site", "/srv/data", "/var/lib/kubelet/pods/1/volumes/x",
                          "/usr/share/site", "/tmp/x", "/device"})
    EXPECT_TRUE(check_relabel(own)) << own;
}

// Where SELinux is off, as here; where it is on, files that are not there would be an error.
TEST(Selinux, NothingIsAskedForWithoutALabel) {
  EXPECT_EQ(selinux_labels("").files, "");
  EXPECT_TRUE(relabel("/no/such/path", VolumeMount::Relabel::shared, {}, false));
  EXPECT_TRUE(relabel("/no/such/path", VolumeMount::Relabel::none, {.process = "p", .files = "f"}, false));
}

}  // namespace
}  // namespace fermata::pod
