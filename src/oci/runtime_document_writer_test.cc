#include "oci/runtime_document_writer.h"

#include <gtest/gtest.h>

#include "oci/runtime_document.h"

namespace fermata::oci {
namespace {

RuntimeSpec example() {
  RuntimeSpec spec;
  spec.process.args = {"sh", "-c", "true"};
  spec.process.env = {"A=b"};
  spec.process.user = {.uid = 7, .gid = 8, .umask = {}, .additional_gids = {9}};
  spec.process.capabilities.bounding = {"CAP_CHOWN"};
  spec.process.rlimits = {{"RLIMIT_NOFILE", 10, 20}};
  spec.process.oom_score_adj = -5;
  spec.process.no_new_privileges = true;
  spec.root_path = "rootfs";
  spec.root_readonly = true;
  spec.mounts = {{.destination = "/proc", .type = "proc", .source = "proc", .options = {"nosuid"}}};
  spec.namespaces = {{.type = Namespace::Type::mount},
                     {.type = Namespace::Type::network, .fd = 12},
                     {.type = Namespace::Type::pid, .path = "/proc/1/ns/pid"}};
  spec.devices = {{.path = "/dev/null", .major = 1, .minor = 3}};
  spec.cgroups_path = "/fermata/x";
  spec.resources.devices = {{.allow = false}, {.allow = true, .type = 'c', .major = 1, .minor = 3}};
  spec.resources.memory_limit = 1 << 20;
  spec.resources.pids_limit = 5;
  spec.sysctl = {{"kernel.domainname", "x"}};
  spec.masked_paths = {"/proc/keys"};
  spec.seccomp = R"({"defaultAction":"SCMP_ACT_ALLOW"})";
  spec.hooks.poststop = {{.path = "/bin/true", .args = {"true"}, .env = {}, .timeout = 3}};
  spec.annotations = {{"a", "b"}};
  return spec;
}

TEST(RuntimeDocumentWriter, WritesWhatTheReaderReads) {
  const RuntimeSpec spec = example();
  const auto read = parse_runtime_spec(runtime_document(spec, 42));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(spec.process.args, read->process.args);
  EXPECT_EQ(spec.process.env, read->process.env);
  EXPECT_EQ(7u, read->process.user.uid);
  EXPECT_EQ(spec.process.user.additional_gids, read->process.user.additional_gids);
  EXPECT_EQ(spec.process.capabilities.bounding, read->process.capabilities.bounding);
  ASSERT_EQ(1u, read->process.rlimits.size());
  EXPECT_EQ(20u, read->process.rlimits[0].hard);
  EXPECT_EQ(-5, read->process.oom_score_adj);
  EXPECT_TRUE(read->process.no_new_privileges);
  EXPECT_EQ("rootfs", read->root_path);
  EXPECT_TRUE(read->root_readonly);
  ASSERT_EQ(1u, read->mounts.size());
  EXPECT_EQ(spec.mounts[0].options, read->mounts[0].options);
  ASSERT_EQ(3u, read->namespaces.size());
  EXPECT_EQ("", read->namespaces[0].path);
  EXPECT_EQ("/proc/42/fd/12", read->namespaces[1].path);
  EXPECT_EQ("/proc/1/ns/pid", read->namespaces[2].path);
  ASSERT_EQ(1u, read->devices.size());
  EXPECT_EQ(3u, read->devices[0].minor);
  EXPECT_EQ("/fermata/x", read->cgroups_path);
  ASSERT_EQ(2u, read->resources.devices.size());
  EXPECT_FALSE(read->resources.devices[0].major);
  EXPECT_EQ(3, read->resources.devices[1].minor);
  EXPECT_EQ(1 << 20, read->resources.memory_limit);
  EXPECT_EQ(5, read->resources.pids_limit);
  EXPECT_EQ(spec.sysctl, read->sysctl);
  EXPECT_EQ(spec.masked_paths, read->masked_paths);
  EXPECT_NE("", read->seccomp);
  ASSERT_EQ(1u, read->hooks.poststop.size());
  EXPECT_EQ(3, read->hooks.poststop[0].timeout);
  EXPECT_EQ(spec.annotations, read->annotations);
}

TEST(RuntimeDocumentWriter, WritesAProcessAlone) {
  Process process = example().process;
  process.terminal = true;
  process.console_rows = 24;
  process.console_columns = 80;
  const auto read = parse_process(process_document(process));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_TRUE(read->terminal);
  EXPECT_EQ(24u, read->console_rows);
  EXPECT_EQ(80u, read->console_columns);
}

}  // namespace
}  // namespace fermata::oci
