#include "pod/device_edits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/files.h"

namespace fermata::pod {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DeviceEdits : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/cdi-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    ASSERT_TRUE(write_file(directory_ + "/acme.yaml", R"(
cdiVersion: 1.0.0
kind: acme.com/card
containerEdits: {env: [ACME=1]}
devices:
- name: 0
  containerEdits:
    deviceNodes: [{path: /dev/acme0}]
    mounts: [{hostPath: /opt/acme, containerPath: /acme}]
    additionalGids: [44]
- {name: 1, containerEdits: {deviceNodes: [{path: /dev/acme1}]}}
)"));
    registry_ = std::make_unique<cdi::Registry>(std::vector{directory_});
  }
  void TearDown() override { (void)remove_tree(directory_); }

  std::string directory_;
  std::unique_ptr<cdi::Registry> registry_;
};

TEST_F(DeviceEdits, GoIntoTheConfiguration) {
  ContainerConfig config;
  config.env = {"A=b"};
  config.groups = {"audio"};
  config.mounts = {{.source = "/x", .destination = "/acme"}, {.source = "/x", .destination = "/x"}};
  config.devices = {"/dev/fuse", "acme.com/card=0"};
  ASSERT_TRUE(inject_cdi(config, {"acme.com/card=1"}, *registry_));
  EXPECT_THAT(config.env, ElementsAre("A=b", "ACME=1"));
  EXPECT_THAT(config.groups, ElementsAre("audio", "44"));
  EXPECT_THAT(config.devices, ElementsAre("/dev/fuse"));
  ASSERT_EQ(config.mounts.size(), 1u);
  EXPECT_EQ(config.mounts[0].destination, "/x");
  ASSERT_EQ(config.edits.device_nodes.size(), 2u);
  EXPECT_EQ(config.edits.device_nodes[0].path, "/dev/acme1");
  EXPECT_EQ(config.edits.device_nodes[1].path, "/dev/acme0");
  EXPECT_EQ(config.edits.mounts.size(), 1u);
  EXPECT_TRUE(config.edits.env.empty());
}

TEST_F(DeviceEdits, ThatAreNowhereAreNamed) {
  ContainerConfig config;
  const auto injected = inject_cdi(config, {"acme.com/card=7", "acme.com/card=0"}, *registry_);
  ASSERT_FALSE(injected);
  EXPECT_THAT(injected.error().message(), HasSubstr("unresolvable CDI devices acme.com/card=7: "));
}

TEST_F(DeviceEdits, WithoutNamesNothingIsRead) {
  ContainerConfig config;
  cdi::Registry nowhere({"/nonexistent/a\nb"});
  EXPECT_TRUE(inject_cdi(config, {}, nowhere));
}

TEST(AnnotatedCdiDevices, AreListed) {
  const auto names = annotated_cdi_devices(
      {{"cdi.k8s.io/b_1", "a.com/c=2"}, {"cdi.k8s.io/a_1", "a.com/c=0,a.com/c=1"}, {"x", "a.com/c=9"}});
  ASSERT_TRUE(names);
  EXPECT_THAT(*names, ElementsAre("a.com/c=0", "a.com/c=1", "a.com/c=2"));
  EXPECT_EQ(annotated_cdi_devices({{"cdi.k8s.io/x", "card"}}).error().message(),
            "annotation 'cdi.k8s.io/x': 'card' is no CDI device such as vendor.com/class=device");
}

}  // namespace
}  // namespace fermata::pod
