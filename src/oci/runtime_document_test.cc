#include "oci/runtime_document.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Result<RuntimeSpec> spec_with(std::string_view fields) {
  return parse_runtime_spec(fmt::format(R"({{"ociVersion":"1.0.2",{}}})", fields));
}

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "no error" : result.error().message();
}

TEST(RuntimeDocument, NeedsNothingButAVersion) {
  const auto spec =
      parse_runtime_spec(R"({"ociVersion":"1.0.0","vm":{},"solaris":{"milestone":"x"},"new":[1]})");
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_TRUE(spec->process.args.empty());
  EXPECT_EQ(spec->process.cwd, "/");
  EXPECT_EQ(spec->root_path, "");
  EXPECT_EQ(spec->rootfs_propagation, "rprivate");
}

TEST(RuntimeDocument, TakesEveryVersionOfTheFirstMajor) {
  for (const char* version :
       {"1.0.0", "1.0.0-rc1", "1.0.2-dev", "1.3.0", "1.99.0", "1.2.0+build.7", "1.0.0-rc.2"})
    EXPECT_TRUE(parse_runtime_spec(fmt::format(R"({{"ociVersion":"{}"}})", version))) << version;
  for (const char* version : {"", "1", "1.0", "1.0.", "1..0", "1.0.0.0", "01.0.0", "1.00.0", "2.0.0", "0.5.0",
                              "v1.0.0", "1.0.0-", "1.0.0-a..b", "1.0.0+", "1.0.0-rc_1", "1.a.0", " 1.0.0"})
    EXPECT_THAT(error_of(parse_runtime_spec(fmt::format(R"({{"ociVersion":"{}"}})", version))),
                StartsWith("ociVersion: "))
        << version;
  EXPECT_EQ(error_of(parse_runtime_spec("{}")), "ociVersion: missing");
  EXPECT_EQ(error_of(parse_runtime_spec(R"({"ociVersion":1})")), "ociVersion: not a string");
}

TEST(RuntimeDocument, SaysWhereTheTextIsNotJson) {
  EXPECT_THAT(error_of(parse_runtime_spec("{\n\"ociVersion\": \"1.0.0\",\n}")),
              HasSubstr("the runtime specification: not JSON at line 3"));
  EXPECT_THAT(error_of(parse_runtime_spec("")), HasSubstr("not JSON"));
  EXPECT_THAT(error_of(parse_runtime_spec("[]")), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of(parse_process(R"({"cwd":"/"} x)")), HasSubstr("the process: not JSON at line 1"));
  EXPECT_THAT(error_of(parse_runtime_spec("{\"ociVersion\":\"1.0.0\",\"a\":\"\xff\"}")),
              HasSubstr("not JSON"));
}

TEST(RuntimeDocument, RefusesWhatWouldExhaustIt) {
  const std::string deep(1'000'000, '[');
  EXPECT_THAT(error_of(parse_runtime_spec(R"({"ociVersion":"1.0.0","x":)" + deep)), HasSubstr("not JSON"));
  const std::string closed = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(error_of(parse_runtime_spec(R"({"ociVersion":"1.0.0","x":)" + closed + "}")),
              HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_of(parse_runtime_spec(std::string(9u << 20, ' '))), HasSubstr("larger than 8 MiB"));
  EXPECT_THAT(error_of(parse_runtime_spec(R"({"ociVersion":"1.0.0","x":1e999999})")),
              HasSubstr("a number is beyond"));
}

TEST(RuntimeDocument, NullIsAbsent) {
  const auto spec = spec_with(
      R"("process":null,"mounts":null,"hostname":null,"hooks":{"prestart":null},"annotations":null,
         "linux":{"namespaces":null,"seccomp":null,"resources":{"memory":null,"cpu":{"shares":null}}})");
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_FALSE(spec->resources.cpu_shares);
}

TEST(RuntimeDocument, ReadsTheRoot) {
  const auto spec = spec_with(R"("root":{"path":"rootfs","readonly":true},"hostname":"h","domainname":"d")");
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_EQ(spec->root_path, "rootfs");
  EXPECT_TRUE(spec->root_readonly);
  EXPECT_EQ(spec->hostname, "h");
  EXPECT_EQ(spec->domainname, "d");
  EXPECT_EQ(error_of(spec_with(R"("root":{})")), "root.path: missing");
  EXPECT_EQ(error_of(spec_with(R"("root":"/r")")), "root: not an object");
  EXPECT_EQ(error_of(spec_with(R"("root":{"path":"/a\u0000b"})")), "root.path: not a string");
}

TEST(RuntimeDocument, ReadsMounts) {
  const auto spec = spec_with(R"("mounts":[
      {"destination":"/data","type":"bind","source":"./data","options":["rbind","ro"],
       "uidMappings":[{"containerID":0,"hostID":1000,"size":1}],"gidMappings":[{"containerID":1,"hostID":2,"size":3}]},
      {"destination":"proc"}])");
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_EQ(spec->mounts[0].source, "./data");
  EXPECT_THAT(spec->mounts[0].options, ElementsAre("rbind", "ro"));
  EXPECT_EQ(spec->mounts[0].uid_mappings[0].host_id, 1000u);
  EXPECT_EQ(spec->mounts[0].gid_mappings[0].size, 3u);
  EXPECT_EQ(spec->mounts[1].destination, "/proc");
  EXPECT_EQ(error_of(spec_with(R"("mounts":[{"destination":"/a"},{}])")), "mounts[1].destination: missing");
  EXPECT_EQ(error_of(spec_with(R"("mounts":[1])")), "mounts: not a list of objects");
  EXPECT_EQ(error_of(spec_with(R"("mounts":[{"destination":"/a","options":["ro",1]}])")),
            "mounts[0].options: not a list of strings");
  EXPECT_EQ(
      error_of(spec_with(R"("mounts":[{"destination":"/a","uidMappings":[{"containerID":0,"hostID":1}]}])")),
      "mounts[0].uidMappings[0].size: missing");
}

TEST(RuntimeDocument, ReadsHooks) {
  const auto spec = spec_with(R"("hooks":{
      "prestart":[{"path":"/1"}],"createRuntime":[{"path":"/2","args":["2","a"],"env":["A=b"],"timeout":3}],
      "createContainer":[{"path":"/3"}],"startContainer":[{"path":"/4"}],"poststart":[{"path":"/5"}],
      "poststop":[{"path":"/6"},{"path":"/7"}]})");
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_EQ(spec->hooks.prestart[0].path, "/1");
  EXPECT_EQ(spec->hooks.create_runtime[0].timeout, 3);
  EXPECT_THAT(spec->hooks.create_runtime[0].args, ElementsAre("2", "a"));
  EXPECT_EQ(spec->hooks.create_container[0].path, "/3");
  EXPECT_EQ(spec->hooks.start_container[0].path, "/4");
  EXPECT_EQ(spec->hooks.poststart[0].path, "/5");
  EXPECT_EQ(spec->hooks.poststop[1].path, "/7");
  EXPECT_EQ(error_of(spec_with(R"("hooks":{"poststop":[{"path":"x"}]})")),
            "hooks.poststop[0].path: 'x' is not an absolute path");
  EXPECT_EQ(error_of(spec_with(R"("hooks":{"poststop":[{"path":"/x","timeout":0}]})")),
            "hooks.poststop[0].timeout: not a whole number from 1 to 2147483647");
}

TEST(RuntimeDocument, ReadsAnnotations) {
  const auto spec = spec_with(R"("annotations":{"a":"b","c":""})");
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_EQ(spec->annotations.at("a"), "b");
  EXPECT_EQ(error_of(spec_with(R"("annotations":{"":"x"})")), "annotations: a key is empty");
  EXPECT_EQ(error_of(spec_with(R"("annotations":{"a":1})")), "annotations: not an object of strings");
}

TEST(RuntimeDocument, ReadsItsOwnExample) {
  const auto spec = parse_runtime_spec(example_runtime_spec());
  ASSERT_TRUE(spec) << error_of(spec);
  EXPECT_TRUE(spec->process.terminal);
  EXPECT_THAT(spec->process.args, ElementsAre("sh"));
  EXPECT_EQ(spec->process.env.size(), 2u);
  EXPECT_THAT(spec->process.capabilities.bounding,
              ElementsAre("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"));
  EXPECT_EQ(spec->process.rlimits[0].soft, 1024u);
  EXPECT_TRUE(spec->process.no_new_privileges);
  EXPECT_EQ(spec->root_path, "rootfs");
  EXPECT_TRUE(spec->root_readonly);
  EXPECT_EQ(spec->hostname, "fermata");
  ASSERT_EQ(spec->mounts.size(), 7u);
  EXPECT_EQ(spec->mounts[6].destination, "/sys/fs/cgroup");
  EXPECT_THAT(spec->mounts[4].options, ElementsAre("nosuid", "noexec", "nodev"));
  EXPECT_EQ(spec->namespaces.size(), 6u);
  EXPECT_EQ(spec->resources.devices.size(), 1u);
  EXPECT_EQ(spec->masked_paths.size(), 10u);
  EXPECT_EQ(spec->readonly_paths.size(), 5u);
}

}  // namespace
}  // namespace fermata::oci
