#include "kernel/cgroup_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/files.h"
#include "kernel/cgroup.h"

namespace fermata::kernel {
namespace {

using testing::ElementsAre;

class FakeFigures : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/figures-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    std::filesystem::create_directories(root_ / "g");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& file, const std::string& text) {
    ASSERT_TRUE(write_file(root_ / "g" / file, text));
  }
  // The same directory stands for the tree of every controller.
  CgroupStats of_v2() { return *Cgroup::open({.unified = root_, .v1 = {}}, "g").stats(); }
  CgroupStats of_v1() {
    return *Cgroup::open(
                {.unified = "", .v1 = {{"cpu,cpuacct,memory,pids,cpuset,blkio,hugetlb,rdma", root_}}}, "g")
                .stats();
  }

  std::filesystem::path root_;
};

TEST_F(FakeFigures, AreAbsentWithoutControllers) {
  for (const CgroupStats& stats : {of_v2(), of_v1()}) {
    EXPECT_FALSE(stats.cpu || stats.memory || stats.pids || stats.cpuset || stats.block);
    EXPECT_TRUE(stats.hugepages.empty() && stats.rdma.empty());
    EXPECT_FALSE(stats.cpu_pressure || stats.memory_pressure || stats.io_pressure);
  }
  const auto absent = Cgroup::open({.unified = root_, .v1 = {}}, "absent").stats();
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind(), ErrorKind::not_found);
}

TEST_F(FakeFigures, OfUseAloneAreFewer) {
  put("cpuacct.usage", "30\n");
  put("cpuacct.usage_all", "cpu user system\n0 10 20\n");
  put("memory.usage_in_bytes", "10000\n");
  put("memory.kmem.usage_in_bytes", "70\n");
  put("cpuset.cpus", "0\n");
  const CgroupStats all = of_v1();
  EXPECT_EQ(1u, all.cpu->per_cpu.size());
  EXPECT_TRUE(all.memory->kernel && all.cpuset);
  const auto used = Cgroup::open({.unified = "", .v1 = {{"cpu,cpuacct,memory,cpuset", root_}}}, "g")
                        .stats(StatsDepth::usage);
  ASSERT_TRUE(used);
  EXPECT_EQ(30u, used->cpu->usage);
  EXPECT_TRUE(used->cpu->per_cpu.empty());
  EXPECT_EQ(10000u, used->memory->memory.usage);
  EXPECT_FALSE(used->memory->kernel || used->cpuset);
}

TEST_F(FakeFigures, OfVersionTwo) {
  put("cpu.stat",
      "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 4\nnr_throttled 2\nthrottled_usec 7\n");
  put("memory.current", "10000\n");
  put("memory.peak", "20000\n");
  put("memory.max", "40000\n");
  put("memory.swap.current", "500\n");
  put("memory.swap.max", "max\n");
  put("memory.stat", "anon 1\nfile 6000\nkernel 70\ninactive_file 4000\n");
  put("memory.events", "low 0\nmax 5\noom_kill 1\n");
  put("pids.current", "3\n");
  put("pids.max", "max\n");
  put("cpuset.cpus.effective", "0-1\n");
  put("cpuset.mems.effective", "0\n");
  put("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n");
  put("hugetlb.2MB.current", "0\n");
  put("hugetlb.2MB.rsvd.current", "2097152\n");
  put("hugetlb.2MB.rsvd.max", "max\n");
  put("hugetlb.2MB.events", "max 9\n");
  put("rdma.current", "mlx4_0 hca_handle=2 hca_object=3\n");
  put("rdma.max", "mlx4_0 hca_handle=max hca_object=10\n");
  put("memory.pressure",
      "some avg10=0.25 avg60=12.50 avg300=0.00 total=99\nfull avg10=0.00 avg60=0.00 avg300=1.01 total=7\n");
  const CgroupStats stats = of_v2();
  EXPECT_EQ(stats.cpu->usage, 30000u);
  EXPECT_EQ(stats.cpu->system, 20000u);
  EXPECT_EQ(stats.cpu->throttled_time, 7000u);
  EXPECT_FALSE(stats.cpu->bursts);
  EXPECT_EQ(stats.memory->memory.peak, 20000u);
  EXPECT_EQ(stats.memory->memory.limit, 40000u);
  EXPECT_EQ(stats.memory->memory.failures, 5u);
  EXPECT_EQ(stats.memory->memory_and_swap->usage, 10500u);
  EXPECT_EQ(stats.memory->memory_and_swap->limit, kNoLimit);
  EXPECT_EQ(stats.memory->swap, 500u);
  EXPECT_EQ(stats.memory->kernel->usage, 70u);
  EXPECT_EQ(stats.memory->cache, 6000u);
  EXPECT_EQ(stats.memory->working_set, 6000u);
  EXPECT_EQ(stats.memory->events.at("oom_kill"), 1u);
  EXPECT_EQ(stats.pids->current, 3u);
  EXPECT_EQ(stats.pids->limit, kNoLimit);
  EXPECT_EQ(stats.cpuset->cpus, "0-1");
  ASSERT_EQ(stats.block->service_bytes.size(), 3u);
  EXPECT_EQ(stats.block->serviced[1].operation, "Write");
  EXPECT_EQ(stats.block->serviced[1].value, 4u);
  EXPECT_EQ(stats.hugepages.at("2MB").usage, 2097152u);
  EXPECT_EQ(stats.hugepages.at("2MB").limit, kNoLimit);
  EXPECT_EQ(stats.hugepages.at("2MB").failures, 9u);
  EXPECT_EQ(stats.rdma.at("mlx4_0").handles, 2u);
  EXPECT_EQ(stats.rdma.at("mlx4_0").handle_limit, kNoLimit);
  EXPECT_EQ(stats.rdma.at("mlx4_0").object_limit, 10u);
  EXPECT_DOUBLE_EQ(stats.memory_pressure->some.average_10, 0.25);
  EXPECT_DOUBLE_EQ(stats.memory_pressure->some.average_60, 12.5);
  EXPECT_EQ(stats.memory_pressure->full.total, 7u);
}

TEST_F(FakeFigures, OfVersionOne) {
  put("cpuacct.usage", "100\n");
  put("cpuacct.usage_user", "60\n");
  put("cpuacct.usage_sys", "40\n");
  put("cpuacct.usage_all", "cpu user system\n0 10 20\n1 50 20\n");
  put("cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 5\nnr_bursts 2\nburst_time 3\n");
  put("memory.usage_in_bytes", "1000\n");
  put("memory.limit_in_bytes", "9223372036854771712\n");
  put("memory.failcnt", "4\n");
  put("memory.memsw.usage_in_bytes", "1500\n");
  put("memory.stat", "cache 1\ninactive_file 1\ntotal_cache 900\ntotal_inactive_file 2000\ntotal_swap 500\n");
  put("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  put("pids.current", "3\n");
  put("pids.max", "20\n");
  put("cpuset.cpus", "0\n");
  put("cpuset.mems", "0\n");
  put("cpuset.sched_relax_domain_level", "-1\n");
  put("blkio.bfq.io_serviced_recursive", "Total 0\n");
  put("blkio.throttle.io_serviced_recursive", "8:16 Read 2\n8:16 Total 2\nTotal 2\n");
  put("blkio.throttle.io_service_bytes_recursive", "8:16 Read 8192\nTotal 8192\n");
  put("hugetlb.1GB.usage_in_bytes", "0\n");
  put("hugetlb.1GB.failcnt", "6\n");
  const CgroupStats stats = of_v1();
  EXPECT_EQ(stats.cpu->usage, 100u);
  EXPECT_THAT(stats.cpu->per_cpu, ElementsAre(30, 70));
  EXPECT_THAT(stats.cpu->per_cpu_system, ElementsAre(20, 20));
  EXPECT_EQ(stats.cpu->throttled_time, 5u);
  EXPECT_EQ(stats.cpu->burst_time, 3u);
  EXPECT_EQ(stats.memory->memory.limit, kNoLimit);
  EXPECT_EQ(stats.memory->memory.failures, 4u);
  EXPECT_EQ(stats.memory->memory_and_swap->usage, 1500u);
  EXPECT_EQ(stats.memory->swap, 500u);
  EXPECT_EQ(stats.memory->cache, 900u);
  EXPECT_EQ(stats.memory->working_set, 0u);
  EXPECT_EQ(stats.memory->events.at("oom_kill"), 2u);
  EXPECT_EQ(stats.pids->limit, 20u);
  EXPECT_EQ(stats.cpuset->flags.at("sched_relax_domain_level"), -1);
  EXPECT_EQ(stats.block->serviced.at(0).minor, 16u);
  EXPECT_EQ(stats.block->service_bytes.at(0).value, 8192u);
  EXPECT_EQ(stats.hugepages.at("1GB").failures, 6u);
}

TEST(FigureParsers, LeaveOutWhatTheyDoNotUnderstand) {
  EXPECT_TRUE(parse_keyed_numbers("a\nb x\n 1\nc 1 2\n").count("b") == 0);
  EXPECT_FALSE(parse_pressure(""));
  EXPECT_FALSE(parse_pressure("full avg10=1.00\n"));
  EXPECT_TRUE(parse_pressure("some avg10=x total= avg60\n"));
  EXPECT_TRUE(parse_block_entries("Total 3\n8:0\nx:y Read 1\n8:0 Read x\n8:0 a b 1\n").empty());
  EXPECT_TRUE(parse_io_stat("8:0 rbytes\n8 rbytes=1\n8:0 other=1\n").service_bytes.empty());
  EXPECT_TRUE(parse_rdma("mlx4_0\n\n", "mlx5 hca_handle=1\n").empty());
}

}  // namespace
}  // namespace fermata::kernel
