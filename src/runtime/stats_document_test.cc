#include "runtime/stats_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fermata::runtime {
namespace {

using nlohmann::json;

TEST(StatsEvent, OfNothingHasEveryPart) {
  const json event = json::parse(stats_event("c1", {}, {}));
  EXPECT_EQ(event["type"], "stats");
  EXPECT_EQ(event["id"], "c1");
  for (const char* part : {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt"})
    EXPECT_TRUE(event["data"][part].is_object()) << part;
  EXPECT_TRUE(event["data"]["network_interfaces"].is_array());
  EXPECT_EQ(event["data"]["cpu"]["usage"], json::parse(R"({"kernel":0,"user":0})"));
  EXPECT_EQ(event["data"]["memory"]["usage"], json::parse(R"({"limit":0,"failcnt":0})"));
}

TEST(StatsEvent, ShowsFiguresUnderRuncsNames) {
  kernel::CgroupStats stats;
  stats.cpu = kernel::CpuStats{.usage = 30,
                               .user = 10,
                               .system = 20,
                               .per_cpu = {12, 18},
                               .per_cpu_user = {2, 8},
                               .per_cpu_system = {10, 10},
                               .periods = 4,
                               .throttled_periods = 2,
                               .throttled_time = 7,
                               .bursts = {},
                               .burst_time = {}};
  stats.cpu_pressure = kernel::Pressure{
      .some = {.average_10 = 1.5, .average_60 = 0, .average_300 = 0, .total = 9}, .full = {}};
  stats.cpuset = kernel::CpusetStats{.cpus = "0-2,7", .mems = "0", .flags = {{"sched_load_balance", 1}}};
  stats.memory.emplace();
  stats.memory->memory = {.usage = 4096, .peak = 8192, .limit = kernel::kNoLimit, .failures = 3};
  stats.memory->cache = 5;
  stats.memory->raw = {{"file", 5}};
  stats.pids = kernel::PidsStats{.current = 2, .limit = kernel::kNoLimit};
  stats.block.emplace();
  stats.block->service_bytes = {{8, 0, "Read", 512}};
  stats.hugepages["2MB"] = {.usage = 2097152, .peak = {}, .limit = {}, .failures = 1};
  const json data =
      json::parse(stats_event("c1", stats, {{.name = "eth0", .rx_bytes = 1, .tx_dropped = 8}}))["data"];
  EXPECT_EQ(data["cpu"]["usage"]["percpu"], json({12, 18}));
  EXPECT_EQ(data["cpu"]["usage"]["kernel"], 20);
  EXPECT_EQ(data["cpu"]["throttling"]["throttledTime"], 7);
  EXPECT_EQ(data["cpu"]["psi"]["some"]["avg10"], 1.5);
  EXPECT_EQ(data["cpuset"]["cpus"], json({0, 1, 2, 7}));
  EXPECT_EQ(data["cpuset"]["sched_load_balance"], 1);
  EXPECT_EQ(data["memory"]["usage"]["limit"], kernel::kNoLimit);
  EXPECT_EQ(data["memory"]["usage"]["max"], 8192);
  EXPECT_EQ(data["memory"]["raw"]["file"], 5);
  EXPECT_EQ(data["pids"], json::parse(R"({"current":2})"));
  EXPECT_EQ(data["blkio"]["ioServiceBytesRecursive"][0],
            json::parse(R"({"major":8,"op":"Read","value":512})"));
  EXPECT_EQ(data["hugetlb"]["2MB"]["failcnt"], 1);
  EXPECT_EQ(data["network_interfaces"][0]["Name"], "eth0");
  EXPECT_EQ(data["network_interfaces"][0]["TxDropped"], 8);
}

TEST(StatsEvent, SurvivesNamesAndListsThatAreNone) {
  kernel::CgroupStats stats;
  stats.cpuset = kernel::CpusetStats{.cpus = "x,5-4,0-99999999999", .mems = "", .flags = {}};
  const json data = json::parse(stats_event("c1", stats, {{.name = "\xff"}}))["data"];
  EXPECT_FALSE(data["cpuset"].contains("cpus"));
  EXPECT_EQ(data["network_interfaces"].size(), 1u);
}

TEST(OomEvent, HasNoData) { EXPECT_EQ(oom_event("c1"), R"({"type":"oom","id":"c1"})"); }

}  // namespace
}  // namespace fermata::runtime
