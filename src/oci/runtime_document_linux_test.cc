#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "oci/runtime_document.h"

namespace fermata::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

Result<RuntimeSpec> linux_with(std::string_view fields) {
  return parse_runtime_spec(fmt::format(R"({{"ociVersion":"1.0.2","linux":{{{}}}}})", fields));
}

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "no error" : result.error().message();
}

TEST(RuntimeDocumentLinux, ReadsNamespacesAndMappings) {
  const auto spec = linux_with(R"("namespaces":[{"type":"pid"},{"type":"network","path":"/proc/1/ns/net"},
      {"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"user","path":""},{"type":"cgroup"},{"type":"time"}],
      "uidMappings":[{"containerID":0,"hostID":1000,"size":10}],
      "gidMappings":[{"containerID":1,"hostID":4294967295,"size":1}],
      "timeOffsets":{"monotonic":{"secs":-5,"nanosecs":7},"boottime":{"secs":9223372036854775807}},
      "netDevices":{"eth0":{},"eth1":{"name":"lan"}})");
  ASSERT_TRUE(spec) << error_of(spec);
  ASSERT_EQ(spec->namespaces.size(), 8u);
  EXPECT_EQ(spec->namespaces[1].type, Namespace::Type::network);
  EXPECT_EQ(spec->namespaces[1].path, "/proc/1/ns/net");
  EXPECT_EQ(spec->namespaces[7].type, Namespace::Type::time);
  EXPECT_EQ(spec->gid_mappings[0].host_id, UINT32_MAX);
  EXPECT_EQ(spec->time_offsets.at("monotonic").seconds, -5);
  EXPECT_EQ(spec->time_offsets.at("boottime").seconds, INT64_MAX);
  EXPECT_EQ(spec->network_devices.at("eth0"), "eth0");
  EXPECT_EQ(spec->network_devices.at("eth1"), "lan");
}

TEST(RuntimeDocumentLinux, ReadsWhatElseIsLinux) {
  const auto spec =
      linux_with(R"("devices":[{"path":"/dev/f","type":"c","major":10,"minor":229,"fileMode":8630,
      "uid":1,"gid":2},{"path":"/p","type":"p"}],"cgroupsPath":"/x","sysctl":{"net.ipv4.ip_forward":"1"},
      "maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys"],"mountLabel":"m","rootfsPropagation":"shared",
      "seccomp":{"defaultAction":"SCMP_ACT_ALLOW","new":[1]},
      "intelRdt":{"closID":"c","schemata":["L3:0=f"],"l3CacheSchema":"L3","memBwSchema":"MB:0=1","enableMonitoring":true},
      "memoryPolicy":{"mode":"MPOL_BIND","nodes":"0-1","flags":["MPOL_F_STATIC_NODES"]},
      "personality":{"domain":"LINUX32","flags":[]})");
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_EQ(spec->devices[0].type, 'c');
  EXPECT_EQ(spec->devices[0].minor, 229u);
  EXPECT_EQ(spec->devices[0].file_mode, 0666u);  // without S_IFCHR
  EXPECT_EQ(spec->devices[1].file_mode, 0666u);
  EXPECT_EQ(spec->cgroups_path, "/x");
  EXPECT_EQ(spec->sysctl.at("net.ipv4.ip_forward"), "1");
  EXPECT_THAT(spec->masked_paths, ElementsAre("/proc/kcore"));
  EXPECT_THAT(spec->readonly_paths, ElementsAre("/proc/sys"));
  EXPECT_EQ(spec->mount_label, "m");
  EXPECT_EQ(spec->rootfs_propagation, "shared");
  EXPECT_EQ(nlohmann::json::parse(spec->seccomp).at("defaultAction"), "SCMP_ACT_ALLOW");
  EXPECT_EQ(spec->intel_rdt->clos_id, "c");
  EXPECT_TRUE(spec->intel_rdt->enable_monitoring);
  EXPECT_EQ(spec->memory_policy->mode, "MPOL_BIND");
  EXPECT_EQ(spec->personality, "LINUX32");
}

TEST(RuntimeDocumentLinux, NamesTheFieldOfLinux) {
  struct Row {
    const char* fields;
    const char* error;
  };
  const Row rows[] = {
      {R"("namespaces":[{"type":"net"}])", "linux.namespaces[0].type: 'net' is none of"},
      {R"("namespaces":[{}])", "linux.namespaces[0].type: missing"},
      {R"("namespaces":[{"type":"pid"},{"type":"pid"}])", "linux.namespaces[1].type: the same as of [0]"},
      {R"("namespaces":[{"type":"pid","path":"x"}])",
       "linux.namespaces[0].path: 'x' is not an absolute path"},
      {R"("uidMappings":[{"containerID":0,"hostID":0,"size":0}])", "linux.uidMappings[0].size: maps nothing"},
      {R"("timeOffsets":{"realtime":{}})", "linux.timeOffsets: 'realtime' is none of"},
      {R"("timeOffsets":{"boottime":{"nanosecs":1000000000}})",
       "linux.timeOffsets['boottime'].nanosecs: not a whole"},
      {R"("timeOffsets":{"boottime":1})", "linux.timeOffsets: not an object of objects"},
      {R"("netDevices":{"a/b":{}})", "linux.netDevices: 'a/b' is no interface's name"},
      {R"("netDevices":{"a":{"name":"sixteen-bytes-xx"}})",
       "linux.netDevices: 'sixteen-bytes-xx' is no interface"},
      {R"("devices":[{"path":"/d","type":"c","minor":1}])", "linux.devices[0].major: missing"},
      {R"("devices":[{"path":"/d","type":"x"}])", "linux.devices[0].type: 'x' is none of"},
      {R"("devices":[{"path":"d","type":"p"}])", "linux.devices[0].path: 'd' is not an absolute path"},
      {R"("devices":[{"path":"/d","type":"c","major":4096,"minor":1}])",
       "linux.devices[0].major: not a whole number"},
      {R"("maskedPaths":["x"])", "linux.maskedPaths: 'x' is not an absolute path"},
      {R"("readonlyPaths":[""])", "linux.readonlyPaths: '' is not an absolute path"},
      {R"("rootfsPropagation":"public")", "linux.rootfsPropagation: 'public' is none of"},
      {R"("seccomp":[])", "linux.seccomp: not an object"},
      {R"("memoryPolicy":{"mode":"BIND"})", "linux.memoryPolicy.mode: 'BIND' is none of"},
      {R"("memoryPolicy":{"mode":"MPOL_BIND","flags":["x"]})", "linux.memoryPolicy.flags: 'x' is none of"},
      {R"("personality":{"domain":"BSD"})", "linux.personality.domain: 'BSD' is none of"},
      {R"("personality":{"domain":"LINUX","flags":["x"]})", "linux.personality.flags: 'x' is not known"},
      {R"("resources":{"memory":{"limit":"1"}})", "linux.resources.memory.limit: not a whole number"},
  };
  for (const Row& row : rows)
    EXPECT_THAT(error_of(linux_with(row.fields)), StartsWith(row.error)) << row.fields;
}

}  // namespace
}  // namespace fermata::oci
