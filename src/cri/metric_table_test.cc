#include "cri/metric_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace fermata::cri {
namespace {

using Metrics = google::protobuf::RepeatedPtrField<v1::Metric>;

const MetricSubject kSubject = {.container = "nginx",
                                .id = "/fermata/p/ctrs/c",
                                .image = "nginx:1",
                                .name = "c",
                                .pod_namespace = "shop",
                                .pod = "web"};

pod::ContainerStats everything() {
  pod::ContainerStats stats;
  kernel::CgroupStats& group = stats.group;
  group.cpu.emplace();
  group.cpu->usage = 3'500'000'000;
  group.memory.emplace();
  group.memory->memory.usage = 1000;
  group.memory->raw = {{"total_rss", 10}, {"rss", 7}, {"pgfault", 5}, {"total_pgfault", 6}};
  group.block.emplace();
  group.block->service_bytes = {{.major = 8, .minor = 0, .operation = "Read", .value = 4096},
                                {.major = 8, .minor = 0, .operation = "Write", .value = 512}};
  group.block->serviced = {{.major = 8, .minor = 0, .operation = "Read", .value = 2},
                           {.major = 8, .minor = 0, .operation = "Write", .value = 1}};
  group.pids = kernel::PidsStats{.current = 3, .limit = kernel::kNoLimit};
  group.hugepages["2MB"].usage = 4;
  group.cpu_pressure.emplace();
  group.cpu_pressure->full.total = 2'000'000;
  group.memory_pressure.emplace();
  group.io_pressure.emplace();
  stats.interfaces.push_back({.name = "eth0", .rx_bytes = 9});
  return stats;
}

Metrics all_metrics() {
  Metrics metrics;
  add_group_metrics(kSubject, everything(), 5'000'000'000, metrics);
  add_network_metrics(kSubject, everything(), metrics);
  ContainerFigures figures;
  figures.limits.cpu_quota = 20000;
  figures.store.device = "8:1";
  add_container_metrics(kSubject, figures, metrics);
  return metrics;
}

std::uint64_t value_of(const Metrics& metrics, const std::string& name) {
  for (const auto& metric : metrics)
    if (metric.name() == name) return metric.value().value();
  ADD_FAILURE() << name;
  return 0;
}

TEST(MetricTable, EveryMetricIsDescribedAndEveryDescriptionHasItsMetric) {
  std::map<std::string, int> labels;
  const auto described = metric_descriptors();
  for (const auto& descriptor : described.descriptors()) {
    EXPECT_FALSE(descriptor.help().empty());
    EXPECT_TRUE(labels.emplace(descriptor.name(), descriptor.label_keys_size()).second) << descriptor.name();
  }
  std::set<std::string> seen;
  for (const auto& metric : all_metrics()) {
    EXPECT_EQ(metric.label_values_size(), labels.at(metric.name())) << metric.name();
    seen.insert(metric.name());
  }
  for (const auto& [name, count] : labels) EXPECT_TRUE(seen.contains(name)) << name;
}

TEST(MetricTable, Values) {
  const auto metrics = all_metrics();
  EXPECT_EQ(value_of(metrics, "container_cpu_usage_seconds_total"), 3u);
  EXPECT_EQ(value_of(metrics, "container_memory_rss"), 10u);
  EXPECT_EQ(value_of(metrics, "container_fs_reads_bytes_total"), 4096u);
  EXPECT_EQ(value_of(metrics, "container_threads"), 3u);
  EXPECT_EQ(value_of(metrics, "container_threads_max"), 0u);
  EXPECT_EQ(value_of(metrics, "container_pressure_cpu_stalled_seconds_total"), 2u);
  EXPECT_EQ(value_of(metrics, "container_last_seen"), 5u);
  EXPECT_EQ(value_of(metrics, "container_network_receive_bytes_total"), 9u);
}

TEST(MetricTable, WhatIsNotCountedIsLeftOut) {
  Metrics metrics;
  add_group_metrics(kSubject, {}, 1, metrics);
  ASSERT_EQ(metrics.size(), 1);
  EXPECT_EQ(metrics[0].name(), "container_last_seen");
}

TEST(MetricTable, LabelsAreInTheOrderOfTheirKeys) {
  Metrics metrics;
  add_network_metrics(kSubject, everything(), metrics);
  const std::vector<std::string> labels(metrics[0].label_values().begin(), metrics[0].label_values().end());
  EXPECT_EQ(labels,
            (std::vector<std::string>{"nginx", "/fermata/p/ctrs/c", "nginx:1", "c", "shop", "web", "eth0"}));
}

}  // namespace
}  // namespace fermata::cri
