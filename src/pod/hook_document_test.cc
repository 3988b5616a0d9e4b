#include "pod/hook_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci/runtime_document.h"

namespace fermata::pod {
namespace {

using ::testing::ElementsAre;

TEST(HookDocument, IsAConfigThatCanBeRead) {
  oci::RuntimeSpec spec;
  spec.process.args = {"sh", "\xff"};
  spec.process.env = {"A=b"};
  spec.process.user = {.uid = 3, .gid = 4, .additional_gids = {5}};
  spec.process.capabilities.bounding = {"CAP_KILL"};
  spec.root_readonly = true;
  spec.mounts = {{.destination = "/x", .type = "bind", .source = "/y", .options = {"rbind"}, .tree = 7}};
  spec.namespaces = {{.type = oci::Namespace::Type::mount}};
  spec.devices = {{.path = "/dev/a", .type = 'b', .major = 8, .minor = 1}};
  spec.annotations = {{"k", "v"}};
  const auto read = oci::parse_runtime_spec(hook_document(spec, "/run/root"));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->root_path, "/run/root");
  EXPECT_TRUE(read->root_readonly);
  EXPECT_EQ(read->process.args[0], "sh");
  EXPECT_EQ(read->process.user.uid, 3u);
  EXPECT_THAT(read->process.env, ElementsAre("A=b"));
  ASSERT_EQ(read->mounts.size(), 1u);
  EXPECT_EQ(read->mounts[0].source, "/y");
  ASSERT_EQ(read->devices.size(), 1u);
  EXPECT_EQ(read->devices[0].type, 'b');
  EXPECT_EQ(read->annotations.at("k"), "v");
}

}  // namespace
}  // namespace fermata::pod
