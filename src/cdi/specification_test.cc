#include "cdi/specification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::cdi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr std::string_view kFull = R"(---
cdiVersion: "1.1.0"
kind: acme.example.com/accelerator
annotations: {made-by: "acme-find 3"}
containerEdits:
  env: [ACME_DRIVER=7]
  mounts:
    - &library
      hostPath: /usr/lib/libacme.so
      containerPath: /opt/libacme.so
      options: [ro, nosuid]
devices:
  - name: 0
    containerEdits:
      deviceNodes:
        - {path: /dev/acme0, hostPath: /dev/acme/card0, type: c, major: 240, minor: 3, fileMode: 0660,
           permissions: rw, uid: 5, gid: 44}
        - path: /dev/acmectl
          permissions: none
      additionalGids: [44, 0, 45]
  - name: net
    annotations: {of: the network}
    containerEdits:
      mounts: [*library, {hostPath: tmpfs, containerPath: /run/acme, type: tmpfs}]
      hooks:
        - {hookName: createContainer, path: /bin/hook, args: [hook, link], env: ["LEVEL=2"], timeout: 5}
        - {hookName: poststop, path: /bin/after}
      intelRdt: {closID: acme, l3CacheSchema: "L3:0=f", schemata: ["MB:0=50"], enableMonitoring: true}
      netDevices: [{hostInterfaceName: acme0, name: net1}]
)";

TEST(CdiSpecification, IsReadWhole) {
  const auto specification = parse_specification(kFull, Format::yaml);
  ASSERT_TRUE(specification) << specification.error().message();
  EXPECT_EQ(specification->kind, "acme.example.com/accelerator");
  EXPECT_THAT(specification->edits.env, ElementsAre("ACME_DRIVER=7"));
  const Mount library{"/usr/lib/libacme.so", "/opt/libacme.so", "", {"ro", "nosuid", "bind"}};
  EXPECT_THAT(specification->edits.mounts, ElementsAre(library));
  ASSERT_EQ(specification->devices.size(), 2u);
  const Edits& card = specification->devices.at("0");
  EXPECT_THAT(card.device_nodes,
              ElementsAre(DeviceNode{"/dev/acme0", "/dev/acme/card0", 'c', 240, 3, 0660, 5, 44, "rw"},
                          DeviceNode{.path = "/dev/acmectl", .host_path = "/dev/acmectl", .access = ""}));
  EXPECT_THAT(card.additional_gids, ElementsAre(44, 45));
  const Edits& net = specification->devices.at("net");
  EXPECT_THAT(net.mounts, ElementsAre(library, Mount{"tmpfs", "/run/acme", "tmpfs", {}}));
  ASSERT_EQ(net.hooks.create_container.size(), 1u);
  EXPECT_EQ(net.hooks.create_container[0].path, "/bin/hook");
  EXPECT_THAT(net.hooks.create_container[0].args, ElementsAre("hook", "link"));
  EXPECT_THAT(net.hooks.create_container[0].env, ElementsAre("LEVEL=2"));
  EXPECT_EQ(net.hooks.create_container[0].timeout, 5);
  EXPECT_EQ(net.hooks.poststop.size(), 1u);
  ASSERT_TRUE(net.intel_rdt);
  EXPECT_EQ(net.intel_rdt->clos_id, "acme");
  EXPECT_TRUE(net.intel_rdt->enable_monitoring);
  EXPECT_THAT(net.network_devices, ElementsAre(Pair("acme0", "net1")));
}

std::string error_of(std::string_view text, Format format = Format::json) {
  const auto specification = parse_specification(text, format);
  return specification ? "" : specification.error().message();
}

std::string with_edits(std::string_view version, std::string_view edits) {
  return fmt::format(
      R"({{"cdiVersion":"{}","kind":"a.com/c","devices":[{{"name":"d","containerEdits":{{{}}}}}]}})", version,
      edits);
}
std::string edits_error(std::string_view edits, std::string_view version = "1.1.0") {
  const std::string error = error_of(with_edits(version, edits));
  constexpr std::string_view kPlace = "devices[0].containerEdits.";
  return error.starts_with(kPlace) ? error.substr(kPlace.size()) : error;
}

TEST(CdiSpecification, KnowsItsVersions) {
  for (const char* version : {"0.3.0", "v0.5.0", "1.0.0", "1.1.0"})
    EXPECT_EQ(edits_error(R"("env":["A=b"])", version), "") << version;
  EXPECT_THAT(edits_error(R"("env":["A=b"])", "1.2.0"), HasSubstr("cdiVersion: '1.2.0' is no version"));
  EXPECT_EQ(error_of(R"({"kind":"a.com/c"})"), "cdiVersion: missing");
}

TEST(CdiSpecification, RefusesWhatIsNewerThanItsVersion) {
  EXPECT_EQ(edits_error(R"("mounts":[{"hostPath":"/a","containerPath":"/b","type":"x"}])", "0.3.0"),
            "mounts[0].type: the field is of version 0.4.0, and cdiVersion is 0.3.0");
  EXPECT_EQ(edits_error(R"("deviceNodes":[{"path":"/a","hostPath":"/b"}])", "0.4.0"),
            "deviceNodes[0].hostPath: the field is of version 0.5.0, and cdiVersion is 0.4.0");
  EXPECT_EQ(edits_error(R"("additionalGids":[1])", "0.6.0"),
            "additionalGids: the field is of version 0.7.0, and cdiVersion is 0.6.0");
  EXPECT_EQ(edits_error(R"("netDevices":[])", "1.0.0"),
            "netDevices: the field is of version 1.1.0, and cdiVersion is 1.0.0");
  EXPECT_EQ(error_of(R"({"cdiVersion":"0.5.0","kind":"a.com/c.d","devices":[]})"),
            "kind: a '.' in a class is of version 0.6.0, and cdiVersion is 0.5.0");
}

TEST(CdiSpecification, RefusesUnknownFields) {
  EXPECT_THAT(edits_error(R"("deviceNode":[])"), HasSubstr("deviceNode: unknown field; known are env, "));
  EXPECT_THAT(error_of(R"({"cdiVersion":"1.0.0","kind":"a.com/c","device":[]})"),
              HasSubstr("device: unknown field"));
}

TEST(CdiSpecification, RefusesWhatCannotBe) {
  EXPECT_EQ(edits_error(""), "devices[0].containerEdits: empty: the device 'd' would do nothing");
  EXPECT_EQ(edits_error(R"("env":["A"])"), "env: 'A' is not of the form 'NAME=value'");
  EXPECT_EQ(edits_error(R"("deviceNodes":[{"path":"dev/x"}])"),
            "deviceNodes[0].path: 'dev/x' is not an absolute path");
  EXPECT_EQ(edits_error(R"("deviceNodes":[{"path":"/x","type":"d"}])"),
            "deviceNodes[0].type: 'd' is none of , b, c, u, p");
  EXPECT_EQ(edits_error(R"("deviceNodes":[{"path":"/x","permissions":"rx"}])"),
            "deviceNodes[0].permissions: 'rx' is neither of the letters 'rwm' nor 'none'");
  EXPECT_EQ(edits_error(R"("mounts":[{"hostPath":"a","containerPath":"/b"}])"),
            "mounts[0].hostPath: 'a' is not an absolute path");
  EXPECT_THAT(edits_error(R"("hooks":[{"hookName":"begin","path":"/b"}])"),
              HasSubstr("hooks[0].hookName: 'begin' is none of"));
  EXPECT_THAT(edits_error(R"("hooks":[{"hookName":"poststop","path":"/b","timeout":0}])"),
              HasSubstr("hooks[0].timeout: not a whole number from 1"));
  EXPECT_EQ(edits_error(R"("intelRdt":{"closID":".."})"),
            "intelRdt.closID: '..' is neither a file's name nor '/'");
  EXPECT_EQ(edits_error(R"("intelRdt":{"enableCMT":true})"),
            "intelRdt.enableCMT: removed in version 1.1.0: say enableMonitoring");
  EXPECT_EQ(
      edits_error(
          R"("netDevices":[{"hostInterfaceName":"a","name":"x"},{"hostInterfaceName":"b","name":"x"}])"),
      "netDevices[1].name: 'x' is that of an earlier one, too");
  EXPECT_EQ(error_of(R"({"cdiVersion":"1.0.0","kind":"a.com","devices":[]})"),
            "kind: 'a.com' is not of the form 'vendor.com/class'");
  EXPECT_EQ(error_of(R"({"cdiVersion":"1.0.0","kind":"a.com/c","devices":[]})"), "devices: empty");
  EXPECT_EQ(error_of(R"({"cdiVersion":"1.0.0","kind":"a.com/c","devices":[
                {"name":"x","containerEdits":{"env":["A=1"]}},{"name":"x","containerEdits":{"env":["A=1"]}}]})"),
            "devices[1].name: 'x' is the name of an earlier device, too");
}

TEST(CdiSpecification, IsJsonOrYamlByItsFormat) {
  EXPECT_EQ(error_of("a: b"), "the specification: not JSON at line 1 (byte 1)");
  EXPECT_EQ(error_of(with_edits("1.0.0", R"("env":["A=b"])"), Format::yaml), "");
}

}  // namespace
}  // namespace fermata::cdi
