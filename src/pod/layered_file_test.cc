#include "pod/layered_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"

namespace fermata::pod {
namespace {

// Whiteouts and opaque directories need privilege to make; tests/kernel covers them.
class LayeredFile : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/fermata-layers-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    root_ = pattern;
    for (const char* layer : {"/top/etc", "/bottom/etc", "/bottom/usr/lib"})
      ASSERT_TRUE(make_directories(root_ + layer));
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(root_)); }
  void put(const std::string& path, const std::string& text) { ASSERT_TRUE(write_file(root_ + path, text)); }
  std::string get(const std::string& path) {
    const auto text = read_layered_file({root_ + "/missing", root_ + "/top", root_ + "/bottom"}, path);
    if (!text) return "error: " + text.error().message();
    return text->value_or("(absent)");
  }
  std::string root_;
};

TEST_F(LayeredFile, TheTopOneWins) {
  put("/bottom/etc/passwd", "old");
  EXPECT_EQ(get("/etc/passwd"), "old");
  put("/top/etc/passwd", "new");
  EXPECT_EQ(get("/etc/passwd"), "new");
  EXPECT_EQ(get("/etc/group"), "(absent)");
  EXPECT_EQ(get("/etc"), "(absent)");
  EXPECT_EQ(get("/etc/passwd/x"), "(absent)");
}

TEST_F(LayeredFile, LinksAreFollowedThroughTheLayersAndNeverOutside) {
  put("/bottom/usr/lib/passwd", "merged");
  ASSERT_EQ(::symlink("../usr/lib/passwd", (root_ + "/top/etc/passwd").c_str()), 0);
  EXPECT_EQ(get("/etc/passwd"), "merged");
  ASSERT_EQ(::symlink("/../../../../../../etc/hostname", (root_ + "/top/etc/group").c_str()), 0);
  EXPECT_EQ(get("/etc/group"), "(absent)");
  ASSERT_EQ(::symlink("loop", (root_ + "/top/etc/loop").c_str()), 0);
  EXPECT_EQ(get("/etc/loop"), "(absent)");
  ASSERT_EQ(::symlink("/usr/lib", (root_ + "/top/lib").c_str()), 0);
  EXPECT_EQ(get("/lib/passwd"), "merged");
}

}  // namespace
}  // namespace fermata::pod
