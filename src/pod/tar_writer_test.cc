#include "pod/tar_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"

namespace fermata::pod {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TarTree : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/fermata-tar-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& path, const std::string& bytes) const {
    ASSERT_TRUE(make_directories((root_ + path).substr(0, (root_ + path).rfind('/'))));
    ASSERT_TRUE(write_file(root_ + path, bytes, 0640));
  }
  Result<std::vector<std::string>> write(const TreeRequest& request, const Patience& patience) {
    TRY(const UniqueFd out, open_file(root_ + "/archive", O_RDWR | O_CREAT | O_TRUNC, 0600));
    TarWriter archive(out.get(), patience);
    TRY(auto taken, write_tree(request, archive));
    TRY(archive.finish());
    TRY(bytes_, read_file(root_ + "/archive"));
    return taken;
  }
  Result<std::vector<std::string>> write(const TreeRequest& request) {
    return write(request, [] { return Result<void>(); });
  }
  // "<type> <name>" of each member.
  std::vector<std::string> members() const {
    std::vector<std::string> found;
    for (std::size_t at = 0; at + kTarBlock <= bytes_.size() && bytes_[at] != '\0';) {
      found.push_back(std::string(1, bytes_[at + 156]) + " " + (bytes_.c_str() + at));
      const std::size_t size = std::stoull(bytes_.c_str() + at + 124, nullptr, 8);
      at += kTarBlock + (size + kTarBlock - 1) / kTarBlock * kTarBlock;
    }
    return found;
  }

  std::string root_, bytes_;
};

// Times with a fraction of a second have a header of their own.
void set_time(const std::string& path) {
  const timespec times[] = {{1700000000, 0}, {1700000000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}

TEST_F(TarTree, HasEachKindOfFileInItsOrder) {
  put("/up/b/file", "bytes of it");
  put("/up/a", std::string(1000, 'x'));
  ASSERT_EQ(::link((root_ + "/up/a").c_str(), (root_ + "/up/b/same").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", (root_ + "/up/link").c_str()), 0);
  ASSERT_EQ(::mkfifo((root_ + "/up/pipe").c_str(), 0600), 0);
  for (const char* name : {"/up/a", "/up/b/file", "/up/link", "/up/pipe", "/up/b"}) set_time(root_ + name);
  const auto taken = write({.directory = root_ + "/up"});
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_TRUE(taken->empty());
  EXPECT_THAT(members(), ElementsAre("0 a", "5 b/", "0 b/file", "1 b/same", "2 link", "6 pipe"));
  EXPECT_THAT(bytes_, HasSubstr("bytes of it"));
  EXPECT_EQ(bytes_.size() % kTarBlock, 0u);
}

TEST_F(TarTree, WhiteoutsAreToldAndMountPointsLeftOut) {
  put("/up/etc/new", "");
  put("/up/etc/hosts", "");
  put("/lower/etc/old", "");
  // Linux 5.8 allows anybody to make this one device.
  ASSERT_EQ(::mknod((root_ + "/up/etc/old").c_str(), S_IFCHR, makedev(0, 0)), 0);
  set_time(root_ + "/up/etc/new");
  set_time(root_ + "/up/etc");
  const auto taken = write({.directory = root_ + "/up", .lower = {root_ + "/lower"}, .skip = {"/etc/hosts"}});
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_THAT(*taken, ElementsAre("/etc/old"));
  EXPECT_THAT(members(), ElementsAre("5 etc/", "0 etc/new"));
}

TEST_F(TarTree, OwnersAreThoseOfTheInside) {
  put("/up/file", "");
  set_time(root_ + "/up/file");
  UserNamespace users;
  users.uids = {{.container_id = 5, .host_id = ::geteuid(), .size = 1}};
  const auto taken = write({.directory = root_ + "/up", .users = &users});
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_STREQ(bytes_.c_str() + 108, "0000005");
  EXPECT_STREQ(bytes_.c_str() + 116, "0177776") << "no group is mapped";
}

TEST_F(TarTree, WhatIsTooDeepIsRefused) {
  std::string deep = root_ + "/up";
  for (int level = 0; level < 450; ++level) deep += "/d";
  ASSERT_TRUE(make_directories(deep));
  const auto taken = write({.directory = root_ + "/up"});
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message(), HasSubstr("more than 400 directories deep"));
}

TEST_F(TarTree, EndsWhenNobodyWaits) {
  put("/up/file", "");
  const auto taken = write({.directory = root_ + "/up"},
                           []() -> Result<void> { return fail(ErrorKind::unavailable, "no more time"); });
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message(), HasSubstr("no more time"));
}

}  // namespace
}  // namespace fermata::pod
