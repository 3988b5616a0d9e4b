// Mounts of a config.json on the real kernel: attributes, propagation, mapped ids, copying up, cgroups. Needs
// root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kernel/cgroup.h"
#include "kernel/security_modules.h"
#include "kernel/support/outcome.h"
#include "runtime/mount_trees.h"

namespace fermata {
namespace {

using test::BusyboxRoot;
using test::Outcome;
using test::slurp;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class MountOptions : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_directories(root_.path() + "/volume/below"));
    ASSERT_TRUE(write_file(root_.path() + "/volume/file", "text\n"));
  }
  // Others may mount at the same time, but not below our root.
  void TearDown() override { EXPECT_THAT(slurp("/proc/self/mountinfo"), Not(HasSubstr(root_.path()))); }

  // As a bundle: the root is a directory, sources are paths.
  oci::RuntimeSpec spec(const std::string& script) const {
    auto spec = root_.spec(script);
    spec.overlay.reset();
    spec.root_path = "layers/base";
    spec.mount_point.clear();
    return spec;
  }
  Outcome run(oci::RuntimeSpec spec, const runtime::StartOptions& options = {}) const {
    const auto prepared = runtime::open_mounts(&spec, root_.path());
    EXPECT_TRUE(prepared) << (prepared ? "" : prepared.error().message());
    return prepared ? test::run(spec, options) : Outcome{};
  }
  std::string error(oci::RuntimeSpec spec) const {
    const auto prepared = runtime::open_mounts(&spec, root_.path());
    return prepared ? "" : prepared.error().message();
  }
  Outcome with_mount(const std::string& script, const oci::Mount& mount) const {
    auto given = spec(script);
    given.mounts.push_back(mount);
    return run(given);
  }

  BusyboxRoot root_;
};

// In a mount namespace of its own, undone with the child: propagation needs mounts of "the host's".
template <class Body>
void in_own_mounts(const Body& body) {
  const int child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      ::_exit(98);
    body();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(MountOptions, BindsDirectoriesAndFilesRelativeToTheBundle) {
  auto given = spec("cat /data/file /etc/file; touch /data/x; echo more >> /etc/file; cat /data/file");
  given.mounts.push_back({.destination = "/data", .source = "volume", .options = {"bind", "ro"}});
  given.mounts.push_back(
      {.destination = "/etc/file", .type = "bind", .source = root_.path() + "/volume/file"});
  const auto outcome = run(given);
  EXPECT_THAT(outcome.output, testing::StartsWith("text\ntext\n"));
  EXPECT_THAT(outcome.output, HasSubstr("/data/x: Read-only file system"));
  EXPECT_THAT(outcome.output, testing::EndsWith("text\nmore\n"));
}

TEST_F(MountOptions, DestinationsAreReadAsOtherRuntimesDo) {
  auto given = spec("cat /a/file /b/file");
  given.mounts.push_back({.destination = "a", .source = "volume", .options = {"bind"}});
  given.mounts.push_back({.destination = "//./b/", .source = "volume", .options = {"bind"}});
  EXPECT_EQ(run(given).output, "text\ntext\n");
}

// Whoever gives the host's /dev must not find it changed.
TEST_F(MountOptions, NothingIsMadeInABoundDev) {
  ASSERT_TRUE(make_directories(root_.path() + "/dev"));
  auto given = spec("ls /dev; echo end");
  std::erase_if(given.mounts, [](const oci::Mount& one) { return one.destination.starts_with("/dev"); });
  given.mounts.push_back({.destination = "/dev", .source = "dev", .options = {"rbind"}});
  EXPECT_EQ(run(given).output, "end\n");
  EXPECT_TRUE(std::filesystem::is_empty(root_.path() + "/dev"));
}

TEST_F(MountOptions, LabelWithoutSelinuxIsLeftOutWithANote) {
  if (kernel::selinux_enabled()) GTEST_SKIP() << "SELinux is enabled";
  auto given = spec("true");
  given.mount_label = "system_u:object_r:container_file_t:s0";
  const auto prepared = runtime::open_mounts(&given, root_.path());
  ASSERT_TRUE(prepared) << prepared.error().message();
  EXPECT_THAT(prepared->skipped, testing::ElementsAre(HasSubstr("SELinux is not enabled")));
  test::run(given);
}

TEST_F(MountOptions, ErrorsNameTheMount) {
  auto given = spec("true");
  given.mounts.push_back({.destination = "/data", .source = "missing", .options = {"bind"}});
  EXPECT_THAT(error(given), HasSubstr("mount at '/data': open the mount at '"));
  given.mounts.back() = {.destination = "/data", .type = "tmpfs", .options = {"idmap"}};
  EXPECT_THAT(error(given), HasSubstr("only a bind mount can have its ids mapped"));
  given.mounts.back() = {.destination = "/data", .source = "volume", .options = {"bind", "idmap"}};
  EXPECT_THAT(error(given), HasSubstr("needs a container with a user namespace"));
  given.mounts.pop_back();
  given.root_path = "volume/file";
  EXPECT_THAT(error(given), HasSubstr("is not a directory"));
}

TEST_F(MountOptions, RecursiveAttributesReachWhatLiesBelow) {
  in_own_mounts([&] {
    const std::string below = root_.path() + "/volume/below";
    ASSERT_EQ(::mount("tmpfs", below.c_str(), "tmpfs", 0, nullptr), 0);
    const std::string script = "touch /data/x; touch /data/below/y && echo writable; grep /data /proc/mounts";
    auto outcome =
        with_mount(script, {.destination = "/data", .source = "volume", .options = {"rbind", "ro"}});
    EXPECT_THAT(outcome.output, HasSubstr("/data/x: Read-only file system"));
    EXPECT_THAT(outcome.output, HasSubstr("writable"));
    outcome =
        with_mount(script, {.destination = "/data",
                            .source = "volume",
                            .options = {"rbind", "rro", "rnosuid", "rnoatime", "rnosymfollow", "rnoexec"}});
    EXPECT_THAT(outcome.output, HasSubstr("/data/below/y: Read-only file system"));
    EXPECT_THAT(outcome.output, ContainsRegex("/data/below tmpfs ro,nosuid,noexec,noatime,nosymfollow"));
    outcome =
        with_mount(script, {.destination = "/data", .source = "volume", .options = {"rbind", "rro", "rw"}});
    EXPECT_THAT(outcome.output, HasSubstr("/data/below/y: Read-only file system"));
    EXPECT_THAT(outcome.output, Not(HasSubstr("/data/x: Read-only")));
  });
}

TEST_F(MountOptions, WhatIsNotNamedStaysAsTheSourceHasIt) {
  in_own_mounts([&] {
    const std::string below = root_.path() + "/volume/below";
    ASSERT_EQ(::mount("tmpfs", below.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, nullptr), 0);
    auto outcome = with_mount("grep /data /proc/mounts",
                              {.destination = "/data", .source = "volume/below", .options = {"bind", "ro"}});
    EXPECT_THAT(outcome.output, ContainsRegex("tmpfs ro,nosuid,nodev"));
    outcome =
        with_mount("grep /data /proc/mounts",
                   {.destination = "/data", .source = "volume/below", .options = {"bind", "suid", "dev"}});
    EXPECT_THAT(outcome.output, ContainsRegex("tmpfs rw,relatime"));
  });
}

TEST_F(MountOptions, MapsTheIdsOfABind) {
  if (!test::maps_ids(root_.path())) GTEST_SKIP() << "the file system of /tmp cannot map ids on this kernel";
  ASSERT_EQ(::chown((root_.path() + "/volume/file").c_str(), 1000, 1000), 0);
  oci::Mount mount = {.destination = "/data", .source = "volume", .options = {"bind", "idmap"}};
  mount.uid_mappings = {{1000, 0, 1}};
  mount.gid_mappings = {{1000, 7, 1}};
  // What 1000 owns on disk is shown as owned by 0 (and 7).
  const auto outcome = with_mount("stat -c %u:%g /data/file", mount);
  EXPECT_EQ(outcome.output, "0:7\n");
}

TEST_F(MountOptions, CopiesUpIntoATmpfs) {
  const std::string image = root_.layer() + "/srv";
  ASSERT_TRUE(make_directories(image + "/sub"));
  ASSERT_TRUE(write_file(image + "/sub/file", "image\n", 0640));
  ASSERT_EQ(::chmod(image.c_str(), 0711), 0);
  ASSERT_EQ(::chown((image + "/sub").c_str(), 5, 6), 0);
  auto outcome = with_mount(
      "cat /srv/sub/file; stat -c %a /srv; stat -c %u:%g /srv/sub; echo new > /srv/sub/file; mount | grep "
      "srv",
      {.destination = "/srv",
       .type = "tmpfs",
       .source = "tmpfs",
       .options = {"tmpcopyup", "nosuid", "size=1m"}});
  EXPECT_THAT(outcome.output, testing::StartsWith("image\n711\n5:6\n"));
  EXPECT_THAT(outcome.output, ContainsRegex("on /srv type tmpfs .*nosuid.*size=1024k"));
  EXPECT_EQ(slurp(image + "/sub/file"), "image\n");
  outcome = with_mount(
      "stat -c %a /srv; ls /srv",
      {.destination = "/srv", .type = "tmpfs", .source = "tmpfs", .options = {"tmpcopyup", "mode=1770"}});
  EXPECT_EQ(outcome.output, "1770\nsub\n");
}

TEST_F(MountOptions, TmpfsLooksLikeWhatItCovers) {
  ASSERT_TRUE(make_directories(root_.layer() + "/run"));
  ASSERT_EQ(::chmod((root_.layer() + "/run").c_str(), 0751), 0);
  auto outcome = with_mount("stat -c %a /run", {.destination = "/run", .type = "tmpfs", .source = "tmpfs"});
  EXPECT_EQ(outcome.output, "751\n");
  outcome = with_mount("stat -c %a /run",
                       {.destination = "/run", .type = "tmpfs", .source = "tmpfs", .options = {"mode=700"}});
  EXPECT_EQ(outcome.output, "700\n");
}

TEST_F(MountOptions, ChangesAMountThatIsThere) {
  auto given = spec("touch /x/a; touch /y/b; grep -E ' /(x|y|z) ' /proc/self/mountinfo");
  given.mounts.push_back({.destination = "/x", .type = "tmpfs", .source = "tmpfs"});
  given.mounts.push_back(
      {.destination = "/x", .type = "tmpfs", .source = "tmpfs", .options = {"remount", "ro", "size=2m"}});
  given.mounts.push_back({.destination = "/y", .type = "tmpfs", .source = "tmpfs"});
  given.mounts.push_back({.destination = "/y", .options = {"remount", "bind", "ro", "nosuid"}});
  given.mounts.push_back({.destination = "/z", .type = "tmpfs", .source = "tmpfs", .options = {"shared"}});
  given.mounts.push_back({.destination = "/z", .options = {"rslave", "unbindable"}});
  const auto outcome = run(given);
  EXPECT_THAT(outcome.output, HasSubstr("/x/a: Read-only file system"));
  EXPECT_THAT(outcome.output, HasSubstr("/y/b: Read-only file system"));
  EXPECT_THAT(outcome.output, ContainsRegex("/x ro,relatime - tmpfs tmpfs ro,size=2048k"));
  EXPECT_THAT(outcome.output, ContainsRegex("/y ro,nosuid,relatime - tmpfs tmpfs rw"));
  EXPECT_THAT(outcome.output, ContainsRegex("/z rw,relatime unbindable"));
}

TEST_F(MountOptions, PropagationIsWhatWasAskedFor) {
  in_own_mounts([&] {
    const std::string shared = root_.path() + "/volume/below";
    ASSERT_EQ(::mount("tmpfs", shared.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_EQ(::mount(nullptr, shared.c_str(), nullptr, MS_SHARED, nullptr), 0);
    const auto tags = [&](const std::string& root, const std::string& option) {
      auto given = spec("grep ' /data ' /proc/self/mountinfo");
      given.rootfs_propagation = root;
      given.mounts.push_back({.destination = "/data", .source = "volume/below", .options = {"bind", option}});
      const std::string line = run(given).output;
      const bool is_shared = line.find("shared:") != std::string::npos;
      const bool is_slave = line.find("master:") != std::string::npos;
      return std::string(is_shared ? "shared " : "") + (is_slave ? "slave" : "");
    };
    EXPECT_EQ(tags("rprivate", ""), "");
    EXPECT_EQ(tags("rslave", ""), "slave");
    EXPECT_EQ(tags("", ""), "slave");
    EXPECT_EQ(tags("rprivate", "rslave"), "slave");
    EXPECT_EQ(tags("rprivate", "rshared"), "shared slave");
    EXPECT_EQ(tags("rshared", "rshared"), "shared ");
    EXPECT_EQ(tags("shared", "private"), "");
  });
}

TEST_F(MountOptions, SharedVolumeOfASharedRootReachesTheHost) {
  in_own_mounts([&] {
    const std::string shared = root_.path() + "/volume/below";
    ASSERT_EQ(::mount("tmpfs", shared.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_EQ(::mount(nullptr, shared.c_str(), nullptr, MS_SHARED, nullptr), 0);
    ASSERT_TRUE(make_directories(shared + "/point"));
    auto given = spec("mount -t tmpfs made-inside /data/point");
    given.rootfs_propagation = "rshared";
    for (auto* set : {&given.process.capabilities.bounding, &given.process.capabilities.effective,
                      &given.process.capabilities.permitted})
      set->push_back("CAP_SYS_ADMIN");
    given.mounts.push_back(
        {.destination = "/data", .source = "volume/below", .options = {"bind", "rshared"}});
    EXPECT_EQ(run(given).output, "");
    EXPECT_THAT(slurp("/proc/self/mountinfo"), HasSubstr("made-inside"));
    // But nothing of the container's own.
    EXPECT_THAT(slurp("/proc/self/mountinfo"), Not(HasSubstr("layers/base/")));
  });
}

TEST_F(MountOptions, RootPropagationIsThatOfTheRoot) {
  const auto root_tags = [&](const std::string& propagation) {
    auto given = spec(
        "grep ' / / \\| /layers/base / \\|/base / ' /proc/self/mountinfo; mount --bind / /tmp || echo "
        "unbindable");
    given.rootfs_propagation = propagation;
    for (auto* set : {&given.process.capabilities.bounding, &given.process.capabilities.effective,
                      &given.process.capabilities.permitted})
      set->push_back("CAP_SYS_ADMIN");
    return run(given).output;
  };
  EXPECT_THAT(root_tags("shared"), HasSubstr("shared:"));
  EXPECT_THAT(root_tags("rshared"), HasSubstr("shared:"));
  EXPECT_THAT(root_tags("private"), Not(HasSubstr("shared:")));
  EXPECT_THAT(root_tags("slave"), Not(HasSubstr("shared:")));
  EXPECT_THAT(root_tags("unbindable"), HasSubstr("unbindable"));
}

TEST_F(MountOptions, CgroupIsWhatTheHostHas) {
  auto given = spec("ls /sys/fs/cgroup; grep cgroup /proc/mounts; mkdir /sys/fs/cgroup/x");
  std::erase_if(given.mounts,
                [](const oci::Mount& one) { return one.destination.starts_with("/sys/fs/cgroup"); });
  given.mounts.push_back({.destination = "/sys/fs/cgroup",
                          .type = "cgroup",
                          .source = "cgroup",
                          .options = {"nosuid", "noexec", "nodev", "relatime", "ro"}});
  const auto outcome = run(given);
  const auto host = kernel::CgroupMounts::detect();
  ASSERT_TRUE(host);
  if (host->pure_v2())
    EXPECT_THAT(outcome.output, HasSubstr("/sys/fs/cgroup cgroup2 ro"));
  else
    for (const auto& hierarchy : host->v1)
      EXPECT_THAT(outcome.output, HasSubstr("/sys/fs/cgroup" +
                                            hierarchy.path.substr(hierarchy.path.rfind('/')) + " cgroup ro"));
  EXPECT_THAT(outcome.output, HasSubstr("Read-only file system"));
}

TEST_F(MountOptions, ReplacesWhatOnlyTellsSomethingInProc) {
  auto given = spec("cat /proc/cpuinfo /proc/uptime");
  given.mounts.push_back({.destination = "/proc/cpuinfo", .source = "volume/file", .options = {"bind"}});
  given.mounts.push_back({.destination = "/proc/uptime", .source = "volume/file", .options = {"bind"}});
  EXPECT_EQ(run(given).output, "text\ntext\n");
}

TEST_F(MountOptions, HostsProcCanBeBoundAtProc) {
  auto given = spec("echo $(cat /proc/1/comm)");
  std::erase_if(given.mounts, [](const oci::Mount& one) { return one.destination == "/proc"; });
  given.mounts.insert(given.mounts.begin(),
                      {.destination = "/proc", .source = "/proc", .options = {"rbind"}});
  std::erase_if(given.namespaces,
                [](const oci::Namespace& one) { return one.type == oci::Namespace::Type::pid; });
  EXPECT_EQ(run(given).output, slurp("/proc/1/comm"));
}

TEST_F(MountOptions, RootIsMovedWhereItCannotBePivoted) {
  for (const bool hooks : {false, true}) {
    auto given =
        spec("ls /; touch /made; ls /.. | head -n 1; grep ' / / ' /proc/self/mountinfo; cat /proc/mounts");
    if (hooks) given.mount_point = root_.path() + "/root";
    const auto outcome = run(given, {.pivot = false, .synchronize = hooks});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, testing::StartsWith("bin\ndev\netc\nproc\nsys\ntmp\nbin\n"));
    EXPECT_TRUE(std::filesystem::remove(root_.layer() + "/made"));
  }
}

// They look for the root where its path says, with the container's mounts in it and the host's files around.
TEST_F(MountOptions, HooksFindTheRootAtItsPath) {
  auto given = spec("true");
  given.mount_point = root_.layer();
  const auto prepared = runtime::open_mounts(&given, root_.path());
  ASSERT_TRUE(prepared);
  const auto plan = runtime::plan_container(given, {.synchronize = true});
  ASSERT_TRUE(plan);
  test::InitProcess process(*plan);
  std::string seen;
  process.when_waiting([&] { seen = slurp("/proc/" + std::to_string(process.pid()) + "/mountinfo"); });
  ASSERT_TRUE(process.started()) << process.failed_operation();
  EXPECT_THAT(seen, HasSubstr(" " + root_.layer() + "/proc "));
}

}  // namespace
}  // namespace fermata
