#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci/runtime_document.h"

namespace fermata::oci {
namespace {

using ::testing::StartsWith;

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "no error" : result.error().message();
}

TEST(RuntimeDocumentResources, ReadsResources) {
  const auto resources = parse_resources(R"({
      "devices":[{"allow":false},{"allow":true,"type":"c","major":1,"minor":-1,"access":"rw"}],
      "memory":{"limit":1,"reservation":2,"swap":-1,"kernel":4,"kernelTCP":5,"swappiness":60,"disableOOMKiller":true,
                "useHierarchy":false,"checkBeforeUpdate":true},
      "cpu":{"shares":1,"quota":-1,"burst":3,"period":4,"realtimeRuntime":5,"realtimePeriod":6,"cpus":"0","mems":"1",
             "idle":1},
      "pids":{"limit":-1},
      "blockIO":{"weight":10,"leafWeight":11,"weightDevice":[{"major":8,"minor":0,"weight":1,"leafWeight":2}],
                 "throttleReadBpsDevice":[{"major":8,"minor":1,"rate":1}],
                 "throttleWriteBpsDevice":[{"major":8,"minor":2,"rate":2}],
                 "throttleReadIOPSDevice":[{"major":8,"minor":3,"rate":3}],
                 "throttleWriteIOPSDevice":[{"major":8,"minor":4,"rate":18446744073709551615}]},
      "hugepageLimits":[{"pageSize":"2MB","limit":1}],
      "network":{"classID":4294967295,"priorities":[{"name":"eth0","priority":1}]},
      "rdma":{"mlx5_1":{"hcaHandles":3}},
      "unified":{"memory.high":"1"}})");
  ASSERT_TRUE(resources) << error_of(resources);
  EXPECT_EQ(resources->devices[0].type, 'a');
  EXPECT_EQ(resources->devices[0].access, "rwm");
  EXPECT_EQ(resources->devices[1].major, 1);
  EXPECT_FALSE(resources->devices[1].minor);
  EXPECT_EQ(resources->devices[1].access, "rw");
  EXPECT_EQ(resources->memory_swap, -1);
  EXPECT_EQ(resources->kernel_tcp_memory, 5);
  EXPECT_EQ(resources->memory_swappiness, 60u);
  EXPECT_EQ(resources->use_hierarchy, false);
  EXPECT_EQ(resources->cpu_quota, -1);
  EXPECT_EQ(resources->cpu_realtime_period, 6u);
  EXPECT_EQ(resources->cpuset_mems, "1");
  EXPECT_EQ(resources->cpu_idle, 1);
  EXPECT_EQ(resources->pids_limit, -1);
  EXPECT_EQ(resources->blkio_leaf_weight, 11);
  EXPECT_EQ(resources->blkio_weight_devices[0].leaf_weight, 2);
  EXPECT_EQ(resources->blkio_write_bps[0].minor, 2);
  EXPECT_EQ(resources->blkio_write_iops[0].rate, UINT64_MAX);
  EXPECT_EQ(resources->hugepages[0].page_size, "2MB");
  EXPECT_EQ(resources->network_class_id, UINT32_MAX);
  EXPECT_EQ(resources->network_priorities[0].name, "eth0");
  EXPECT_EQ(resources->rdma.at("mlx5_1").hca_handles, 3u);
  EXPECT_FALSE(resources->rdma.at("mlx5_1").hca_objects);
  EXPECT_EQ(resources->unified.at("memory.high"), "1");
}

TEST(RuntimeDocumentResources, NamesTheFieldOfResources) {
  struct Row {
    const char* document;
    const char* error;
  };
  const Row rows[] = {
      {R"({"devices":[{}]})", "resources.devices[0].allow: missing"},
      {R"({"devices":[{"allow":true,"type":"x"}]})", "resources.devices[0].type: 'x' is none of"},
      {R"({"devices":[{"allow":true,"access":"rx"}]})",
       "resources.devices[0].access: 'rx' has letters other"},
      {R"({"memory":{"limit":9223372036854775808}})", "resources.memory.limit: not a whole number"},
      {R"({"memory":{"limit":99999999999999999999999}})", "resources.memory.limit: not a whole number"},
      {R"({"cpu":{"shares":-1}})", "resources.cpu.shares: not a whole number"},
      {R"({"cpu":[]})", "resources.cpu: not an object"},
      {R"({"blockIO":{"weight":65536}})", "resources.blockIO.weight: not a whole number from 0 to 65535"},
      {R"({"blockIO":{"throttleReadBpsDevice":[{"major":1,"minor":1}]}})",
       "resources.blockIO.throttleReadBpsDevice[0].rate: missing"},
      {R"({"hugepageLimits":[{"pageSize":"2MB"}]})", "resources.hugepageLimits[0].limit: missing"},
      {R"({"network":{"priorities":[{"name":"x"}]}})", "resources.network.priorities[0].priority: missing"},
      {R"({"unified":{"../x":"1"}})", "resources.unified: '../x' is not the name of a file"},
  };
  for (const Row& row : rows)
    EXPECT_THAT(error_of(parse_resources(row.document)), StartsWith(row.error)) << row.document;
}

}  // namespace
}  // namespace fermata::oci
