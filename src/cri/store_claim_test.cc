#include "cri/store_claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/files.h"

namespace fermata::cri {
namespace {

using ::testing::HasSubstr;

class StoreClaimTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/fermata-claim-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string root_;
};

TEST_F(StoreClaimTest, TheSecondIsToldWhoHasIt) {
  {
    const auto first = StoreClaim::take(root_);
    ASSERT_TRUE(first) << first.error().message();
    const auto second = StoreClaim::take(root_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::conflict);
    EXPECT_THAT(second.error().message(), HasSubstr("(pid " + std::to_string(::getpid()) + ")"));
  }
  EXPECT_TRUE(StoreClaim::take(root_));
}

TEST_F(StoreClaimTest, AStaleSocketIsFreeAndAServedOneIsNot) {
  const std::string path = root_ + "/s";
  EXPECT_TRUE(check_socket_free(path));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  {
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    const auto taken = check_socket_free(path);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().kind(), ErrorKind::conflict);
  }
  EXPECT_TRUE(check_socket_free(path));
  ASSERT_TRUE(write_file(root_ + "/f", ""));
  EXPECT_THAT(check_socket_free(root_ + "/f").error().message(), HasSubstr("is no socket"));
}

}  // namespace
}  // namespace fermata::cri
