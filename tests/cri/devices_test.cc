// CDI devices, by the field of the protocol and by annotations: as a container sees them.
#include <filesystem>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::HasSubstr;

class Devices : public CriTest {
 protected:
  void SetUp() override {
    CriTest::SetUp();
    if (is_containerd()) GTEST_SKIP() << "Debian 12's containerd is older than the protocol";
    std::filesystem::create_directories(scratch("d/cdi"));
    e2e::spill(scratch("d/cdi/card.yaml"), R"(
cdiVersion: 0.6.0
kind: acme.com/card
containerEdits: {env: [ACME=7]}
devices:
- name: zero
  containerEdits: {deviceNodes: [{path: /dev/acme0, hostPath: /dev/zero}]}
- name: hooked
  containerEdits:
    hooks:
    - {hookName: createContainer, path: /bin/sh, args: [sh, -c, 'echo begin >> )" +
                                               scratch("d/cdi/order") +
                                               R"(']}
    - {hookName: poststop, path: /bin/sh, args: [sh, -c, 'echo end >> )" +
                                               scratch("d/cdi/order") +
                                               R"(']}
)");
  }
};

TEST_F(Devices, AreInjected) {
  v1::ContainerConfig config = container_config({"sh", "-c", "echo $ACME; head -c 3 /dev/acme0 | wc -c"});
  config.add_cdi_devices()->set_name("acme.com/card=zero");
  EXPECT_EQ("7\n3", output(run_pod(), config));
}

TEST_F(Devices, OfAnnotationsAreInjectedOnce) {
  v1::ContainerConfig config = container_config({"sh", "-c", "echo $ACME; ls /dev/acme0"});
  config.add_cdi_devices()->set_name("acme.com/card=hooked");
  (*config.mutable_annotations())["cdi.k8s.io/acme_0"] = "acme.com/card=zero,acme.com/card=hooked";
  EXPECT_EQ("7\n/dev/acme0", output(run_pod(), config));
  EXPECT_TRUE(eventually([] { return e2e::slurp(scratch("d/cdi/order")) == "begin\nend\n"; }))
      << e2e::slurp(scratch("d/cdi/order"));
}

TEST_F(Devices, ThatAreNowhereAreNamed) {
  v1::ContainerConfig config = container_config({"true"});
  config.add_cdi_devices()->set_name("acme.com/card=other");
  const auto reply = try_create(run_pod(), config);
  EXPECT_EQ(grpc::INVALID_ARGUMENT, reply.code());
  EXPECT_THAT(reply.error(), HasSubstr("unresolvable CDI devices acme.com/card=other"));
}

}  // namespace
}  // namespace fermata::cri_test
