#include "kernel/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"

namespace fermata::kernel {
namespace {

// A hierarchy made of plain directories and files.
class FakeCgroups : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/cgroup-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& path, const std::string& text = "") {
    ASSERT_TRUE(make_directories((root_ / path).parent_path()));
    ASSERT_TRUE(write_file(root_ / path, text));
  }
  std::string get(const std::string& path) { return read_file(root_ / path).value_or("(absent)"); }
  CgroupMounts v2() { return {.unified = root_, .v1 = {}}; }
  CgroupMounts::V1 v1(const std::string& controllers, const std::string& folder) {
    std::filesystem::create_directories(root_ / folder);
    return {controllers, root_ / folder};
  }

  std::filesystem::path root_;
};

TEST(CgroupMounts, FindsHybridHierarchies) {
  const auto mounts = CgroupMounts::parse(
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
      "99 31 0:29 / /somewhere/else rw,relatime - cgroup cgroup rw,cpu,cpuacct\n");
  EXPECT_EQ(mounts.unified, "/sys/fs/cgroup/uni fied");
  ASSERT_EQ(mounts.v1.size(), 2u);
  EXPECT_EQ(mounts.v1[0].controllers, "cpu,cpuacct");
  EXPECT_EQ(mounts.v1[0].path, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(mounts.v1[1].controllers, "name=systemd");
  EXPECT_FALSE(mounts.pure_v2());
}

TEST(CgroupMounts, SurvivesOtherLines) {
  EXPECT_TRUE(CgroupMounts::parse("").unified.empty());
  EXPECT_TRUE(CgroupMounts::parse("junk\n1 2 3 - cgroup2\n - \n").unified.empty());
  EXPECT_TRUE(CgroupMounts::parse("29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n").pure_v2());
}

TEST_F(FakeCgroups, MakesParentsAndPassesControllersOn) {
  put("cgroup.controllers", "cpu io memory pids\n");
  put("cgroup.subtree_control", "");
  const auto group = Cgroup::create(v2(), "fermata/pod/ctrs");
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_TRUE(group->exists());
  EXPECT_TRUE(std::filesystem::is_directory(root_ / "fermata/pod/ctrs"));
  EXPECT_EQ(get("cgroup.subtree_control"), "+cpu +memory +pids +io");
  EXPECT_TRUE(Cgroup::create(v2(), "fermata/pod/ctrs"));
}

TEST_F(FakeCgroups, LeavesEnabledControllersAlone) {
  put("cgroup.controllers", "cpu memory pids\n");
  put("cgroup.subtree_control", "cpu memory pids\n");
  ASSERT_TRUE(Cgroup::create(v2(), "a"));
  EXPECT_EQ(get("cgroup.subtree_control"), "cpu memory pids\n");
}

TEST_F(FakeCgroups, RefusesPathsThatLeaveTheHierarchy) {
  for (const char* path : {"", "/a", "a/", "../a", "a/../../b", ".."}) {
    const auto group = Cgroup::create(v2(), path);
    ASSERT_FALSE(group) << path;
    EXPECT_EQ(group.error().kind(), ErrorKind::invalid_argument);
  }
}

TEST_F(FakeCgroups, KillsAndRemovesNothingAboveAGroup) {
  put("kept/cgroup.procs");
  put("cgroup.kill");
  CgroupMounts mounts = v2();
  mounts.unified += "/kept";
  for (const char* path : {"", "/", "..", "a/../.."}) {
    const auto group = Cgroup::open(mounts, path);
    EXPECT_EQ(group.kill_all().error().kind(), ErrorKind::invalid_argument) << path;
    EXPECT_EQ(group.remove().error().kind(), ErrorKind::invalid_argument) << path;
  }
  EXPECT_EQ(get("cgroup.kill"), "");
}

TEST_F(FakeCgroups, SaysWhichHierarchyIsMissing) {
  const auto group = Cgroup::create({.unified = root_ / "absent", .v1 = {}}, "a");
  ASSERT_FALSE(group);
  EXPECT_THAT(group.error().message(), testing::HasSubstr("absent"));
}

TEST_F(FakeCgroups, FillsACpusetFromItsParent) {
  put("cpuset/cpuset.cpus", "0-1\n");
  put("cpuset/cpuset.mems", "0\n");
  put("cpuset/pod/cpuset.cpus", "\n");
  put("cpuset/pod/cpuset.mems", "0\n");
  ASSERT_TRUE(Cgroup::create({.unified = "", .v1 = {v1("cpuset", "cpuset")}}, "pod"));
  EXPECT_EQ(get("cpuset/pod/cpuset.cpus").substr(0, 3), "0-1");
  EXPECT_EQ(get("cpuset/pod/cpuset.mems"), "0\n");
}

TEST_F(FakeCgroups, WritesVersionTwoLimits) {
  for (const char* file :
       {"memory.max", "memory.swap.max", "memory.low", "cpu.max", "cpu.weight", "cpuset.cpus", "pids.max"})
    put(std::string("g/") + file);
  Cgroup group = Cgroup::open(v2(), "g");
  const auto applied = group.apply({.memory_max = 64 << 20,
                                    .memory_swap_max = 96 << 20,
                                    .memory_reservation = 32 << 20,
                                    .cpu_shares = 1024,
                                    .cpu_quota = 50000,
                                    .cpuset_cpus = "0",
                                    .pids_max = 20});
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(get("g/memory.max"), "67108864");
  EXPECT_EQ(get("g/memory.swap.max"), "33554432");
  EXPECT_EQ(get("g/memory.low"), "33554432");
  EXPECT_EQ(get("g/cpu.max"), "50000");
  EXPECT_EQ(get("g/cpu.weight"), "100");
  EXPECT_EQ(get("g/cpuset.cpus"), "0");
  EXPECT_EQ(get("g/pids.max"), "20");
}

TEST_F(FakeCgroups, WritesNoLimitAsTheKernelSaysIt) {
  for (const char* file :
       {"u/memory.max", "u/cpu.max", "u/pids.max", "m/u/memory.limit_in_bytes", "m/u/pids.max"})
    put(file);
  const CgroupLimits none = {.memory_max = ~std::uint64_t{0}, .cpu_quota = -1, .pids_max = -1};
  ASSERT_TRUE(Cgroup::open(v2(), "u").apply(none));
  EXPECT_EQ(get("u/memory.max"), "max");
  EXPECT_EQ(get("u/cpu.max"), "max");
  EXPECT_EQ(get("u/pids.max"), "max");
  ASSERT_TRUE(Cgroup::open({.unified = "", .v1 = {v1("memory,pids", "m")}}, "u")
                  .apply({.memory_max = ~std::uint64_t{0}, .pids_max = -1}));
  EXPECT_EQ(get("m/u/memory.limit_in_bytes"), "-1");
}

TEST_F(FakeCgroups, WritesVersionOneLimitsMountedTogetherOrApart) {
  for (const char* file :
       {"cpu,cpuacct/g/cpu.cfs_period_us", "cpu,cpuacct/g/cpu.cfs_quota_us", "cpu,cpuacct/g/cpu.shares",
        "memory/g/memory.limit_in_bytes", "memory/g/memory.memsw.limit_in_bytes", "devices/g/devices.deny",
        "devices/g/devices.allow"})
    put(file);
  put("cpu,cpuacct/g/cpuacct.usage", "5000999\n");
  put("memory/g/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  put("memory/g/memory.usage_in_bytes", "4096\n");
  Cgroup group = Cgroup::open(
      {.unified = root_ / "unified",
       .v1 = {v1("cpu,cpuacct", "cpu,cpuacct"), v1("memory", "memory"), v1("devices", "devices")}},
      "g");
  const auto applied = group.apply({.memory_max = 1 << 20,
                                    .memory_swap_max = 2 << 20,
                                    .cpu_shares = 512,
                                    .cpu_quota = 20000,
                                    .cpu_period = 50000,
                                    .devices = {{.allow = false}, {.allow = true, .type = 'c', .major = 1}}});
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(get("memory/g/memory.limit_in_bytes"), "1048576");
  EXPECT_EQ(get("memory/g/memory.memsw.limit_in_bytes"), "2097152");
  EXPECT_EQ(get("cpu,cpuacct/g/cpu.cfs_period_us"), "50000");
  EXPECT_EQ(get("cpu,cpuacct/g/cpu.cfs_quota_us"), "20000");
  EXPECT_EQ(get("cpu,cpuacct/g/cpu.shares"), "512");
  EXPECT_EQ(get("devices/g/devices.deny"), "a *:* rwm");
  EXPECT_EQ(get("devices/g/devices.allow"), "c 1:* rwm");
  EXPECT_EQ(group.cpu_usage_usec(), 5000u);
  EXPECT_EQ(group.oom_kills(), 3u);
  EXPECT_EQ(group.memory_current(), 4096u);
}

TEST_F(FakeCgroups, NamesFileAndValueOfALimitThatCannotBeSet) {
  std::filesystem::create_directories(root_ / "g");
  const auto applied = Cgroup::open(v2(), "g").apply({.memory_max = 4096});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(applied.error().message(),
              testing::AllOf(testing::HasSubstr("memory.max"), testing::HasSubstr("'4096'")));
}

TEST_F(FakeCgroups, RefusesLessSwapThanMemory) {
  put("g/memory.max");
  EXPECT_FALSE(Cgroup::open(v2(), "g").apply({.memory_max = 8192, .memory_swap_max = 4096}));
}

TEST_F(FakeCgroups, KeepsTheQuotaWhenThePeriodChanges) {
  put("g/cpu.max", "30000 100000\n");
  ASSERT_TRUE(Cgroup::open(v2(), "g").apply({.cpu_period = 50000}));
  EXPECT_THAT(get("g/cpu.max"), testing::StartsWith("30000 50000"));
}

TEST_F(FakeCgroups, WritesWhatVersionTwoAloneOffers) {
  for (const char* file :
       {"cpu.weight", "cpu.idle", "cpu.max.burst", "cpuset.mems", "io.max", "io.bfq.weight",
        "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "rdma.max", "memory.oom.group", "memory.high", "misc.max"})
    put(std::string("g/") + file);
  CgroupLimits limits = {.oom_group = true, .cpu_burst = 100, .cpuset_mems = "0-1", .block_weight = 500};
  limits.block_write_operations = {{.major = 8, .minor = 16, .rate = 0}};
  limits.hugepages = {{"2MB", 4 << 20}};
  limits.rdma["mlx5_1"] = {.handles = 2, .objects = 7};
  limits.unified = {{"memory.high", "1000\n"}, {"misc.max", "a 1\nb 2"}};
  const auto applied = Cgroup::open(v2(), "g").apply(limits);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(get("g/memory.oom.group"), "1");
  EXPECT_EQ(get("g/cpu.max.burst"), "100");
  EXPECT_EQ(get("g/cpuset.mems"), "0-1");
  EXPECT_EQ(get("g/io.bfq.weight"), "500");
  EXPECT_EQ(get("g/io.max"), "8:16 wiops=max");
  EXPECT_EQ(get("g/hugetlb.2MB.max"), "4194304");
  EXPECT_EQ(get("g/hugetlb.2MB.rsvd.max"), "4194304");
  EXPECT_EQ(get("g/rdma.max"), "mlx5_1 hca_handle=2 hca_object=7");
  EXPECT_EQ(get("g/memory.high"), "1000");
  EXPECT_EQ(get("g/misc.max"), "b 2");
}

TEST_F(FakeCgroups, WritesWhatVersionOneAloneOffers) {
  for (const char* file :
       {"memory.soft_limit_in_bytes", "memory.kmem.tcp.limit_in_bytes", "memory.swappiness",
        "memory.oom_control", "cpu.rt_runtime_us", "cpu.rt_period_us", "cpu.cfs_burst_us", "cpu.idle",
        "blkio.weight", "blkio.leaf_weight", "blkio.weight_device", "blkio.leaf_weight_device",
        "blkio.throttle.read_bps_device", "hugetlb.1GB.limit_in_bytes", "net_cls.classid",
        "net_prio.ifpriomap"})
    put(std::string("all/g/") + file);
  CgroupLimits limits = {.memory_reservation = kNoLimit,
                         .memory_kernel_tcp_max = 4096,
                         .memory_swappiness = 60,
                         .disable_oom_killer = true,
                         .cpu_burst = 10,
                         .cpu_idle = 1,
                         .cpu_realtime_runtime = 9000,
                         .cpu_realtime_period = 10000,
                         .block_weight = 10,
                         .block_leaf_weight = 20};
  limits.block_weights = {{.major = 8, .minor = 0, .weight = 30, .leaf_weight = 40}};
  limits.block_read_bytes = {{.major = 8, .minor = 0, .rate = 1024}};
  limits.hugepages = {{"1GB", kNoLimit}};
  limits.network_class = 0x100001;
  limits.network_priorities = {{"eth0", 5}};
  Cgroup group =
      Cgroup::open({.unified = "", .v1 = {v1("memory,cpu,blkio,hugetlb,net_cls,net_prio", "all")}}, "g");
  const auto applied = group.apply(limits);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(get("all/g/memory.soft_limit_in_bytes"), "-1");
  EXPECT_EQ(get("all/g/memory.kmem.tcp.limit_in_bytes"), "4096");
  EXPECT_EQ(get("all/g/memory.swappiness"), "60");
  EXPECT_EQ(get("all/g/memory.oom_control"), "1");
  EXPECT_EQ(get("all/g/cpu.rt_runtime_us"), "9000");
  EXPECT_EQ(get("all/g/cpu.rt_period_us"), "10000");
  EXPECT_EQ(get("all/g/cpu.cfs_burst_us"), "10");
  EXPECT_EQ(get("all/g/cpu.idle"), "1");
  EXPECT_EQ(get("all/g/blkio.weight"), "10");
  EXPECT_EQ(get("all/g/blkio.leaf_weight"), "20");
  EXPECT_EQ(get("all/g/blkio.weight_device"), "8:0 30");
  EXPECT_EQ(get("all/g/blkio.leaf_weight_device"), "8:0 40");
  EXPECT_EQ(get("all/g/blkio.throttle.read_bps_device"), "8:0 1024");
  EXPECT_EQ(get("all/g/hugetlb.1GB.limit_in_bytes"), "-1");
  EXPECT_EQ(get("all/g/net_cls.classid"), "1048577");
  EXPECT_EQ(get("all/g/net_prio.ifpriomap"), "eth0 5");
}

TEST_F(FakeCgroups, RefusesOnVersionTwoWhatOnlyVersionOneHad) {
  put("g/cpu.max");
  Cgroup group = Cgroup::open(v2(), "g");
  for (const auto& limits : {CgroupLimits{.memory_swappiness = 60}, CgroupLimits{.disable_oom_killer = true},
                             CgroupLimits{.memory_kernel_max = 1}, CgroupLimits{.cpu_realtime_runtime = 1},
                             CgroupLimits{.block_leaf_weight = 10}, CgroupLimits{.network_class = 1}}) {
    const auto applied = group.apply(limits);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind(), ErrorKind::unsupported) << applied.error().message();
  }
  EXPECT_TRUE(group.apply(
      {.memory_kernel_max = kNoLimit, .disable_oom_killer = false, .cpu_burst = 0, .cpu_idle = 0}));
}

TEST_F(FakeCgroups, TakesUnifiedFilesOnVersionTwoOnly) {
  put("g/memory.high");
  put("secret");
  CgroupLimits limits;
  limits.unified = {{"../secret", "1"}};
  EXPECT_EQ(Cgroup::open(v2(), "g").apply(limits).error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(get("secret"), "");
  limits.unified = {{"zap.max", "1"}};
  EXPECT_THAT(Cgroup::open(v2(), "g").apply(limits).error().message(), testing::HasSubstr("zap.max"));
  limits.unified = {{"memory.high", "1"}};
  const auto hybrid = Cgroup::open({.unified = root_, .v1 = {v1("pids", "v1")}}, "g").apply(limits);
  ASSERT_FALSE(hybrid);
  EXPECT_THAT(hybrid.error().message(), testing::HasSubstr("memory.high"));
}

TEST_F(FakeCgroups, ChecksWhatIsInUseWhenAsked) {
  put("g/memory.max");
  put("g/memory.current", "8192\n");
  Cgroup group = Cgroup::open(v2(), "g");
  EXPECT_TRUE(group.apply({.memory_max = 4096}));
  const auto checked = group.apply({.memory_max = 4096, .check_before_update = true});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), testing::HasSubstr("8192"));
  EXPECT_TRUE(group.apply({.memory_max = 16384, .check_before_update = true}));
}

TEST_F(FakeCgroups, CountsSwapAloneOnVersionTwo) {
  put("g/memory.max", "4096\n");
  put("g/memory.swap.max");
  Cgroup group = Cgroup::open(v2(), "g");
  ASSERT_TRUE(group.apply({.memory_swap_max = 10000}));
  EXPECT_EQ(get("g/memory.swap.max"), "5904");
  put("none/memory.max");
  Cgroup without_swap = Cgroup::open(v2(), "none");
  EXPECT_TRUE(without_swap.apply({.memory_max = 4096, .memory_swap_max = 4096}));
  EXPECT_TRUE(without_swap.apply({.memory_max = kNoLimit, .memory_swap_max = kNoLimit}));
  EXPECT_FALSE(without_swap.apply({.memory_max = 4096, .memory_swap_max = 8192}));
}

TEST(CgroupWeights, MeetAtBothEndsAndAtTheDefaults) {
  EXPECT_EQ(weight_of_shares(0), 1u);
  EXPECT_EQ(weight_of_shares(2), 1u);
  EXPECT_EQ(weight_of_shares(1024), 100u);
  EXPECT_EQ(weight_of_shares(262144), 10000u);
  EXPECT_EQ(weight_of_shares(~std::uint64_t{0}), 10000u);
  EXPECT_EQ(weight_of_shares(512), 59u);
  EXPECT_EQ(io_weight(10), 1u);
  EXPECT_EQ(io_weight(500), 4950u);
  EXPECT_EQ(io_weight(1000), 10000u);
}

TEST_F(FakeCgroups, ListsProcessesOfDescendants) {
  put("g/cgroup.procs", "10\n11\n");
  put("g/a/cgroup.procs", "");
  put("g/a/b/cgroup.procs", "12\n");
  const auto found = Cgroup::open(v2(), "g").processes();
  ASSERT_TRUE(found);
  EXPECT_THAT(*found, testing::UnorderedElementsAre(10, 11, 12));
  EXPECT_TRUE(Cgroup::open(v2(), "absent").processes()->empty());
}

TEST_F(FakeCgroups, WaitsUntilItIsNotPopulated) {
  put("g/cgroup.events", "populated 0\nfrozen 0\n");
  EXPECT_EQ(Cgroup::open(v2(), "g").wait_empty(std::chrono::milliseconds(0)).value_or(false), true);
  put("v1/g/cgroup.procs", "10\n");
  const Cgroup busy = Cgroup::open({.unified = "", .v1 = {v1("freezer", "v1")}}, "g");
  EXPECT_EQ(busy.wait_empty(std::chrono::milliseconds(3)).value_or(true), false);
}

TEST_F(FakeCgroups, RemovesDescendantsFirstAndTwice) {
  std::filesystem::create_directories(root_ / "one/g/a/b");
  std::filesystem::create_directories(root_ / "two/g/c");
  const Cgroup group = Cgroup::open({.unified = root_ / "one", .v1 = {v1("pids", "two")}}, "g");
  ASSERT_TRUE(group.remove());
  EXPECT_FALSE(group.exists());
  EXPECT_TRUE(group.remove());
}

TEST_F(FakeCgroups, OpensWhatAChildIsBornInto) {
  put("uni/g/cgroup.procs");
  for (const char* file : {"cpu/g/cgroup.procs", "cpu/g/tasks", "pids/g/cgroup.procs", "pids/g/tasks"})
    put(file);
  const Cgroup group =
      Cgroup::open({.unified = root_ / "uni", .v1 = {v1("cpu", "cpu"), v1("pids", "pids")}}, "g");
  const auto handles = group.open_handles();
  ASSERT_TRUE(handles);
  EXPECT_TRUE(handles->v2.valid());
  EXPECT_EQ(handles->v1_tasks.size(), 2u);
  ASSERT_TRUE(group.add_process(42));
  EXPECT_EQ(get("uni/g/cgroup.procs") + get("pids/g/cgroup.procs"), "4242");
}

}  // namespace
}  // namespace fermata::kernel
