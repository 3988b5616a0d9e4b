// The metrics of pods and containers that a kubelet hands on in place of those of its own cAdvisor: their
// names, what they say, and how they follow from what is counted. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cri/process_counts.h"
#include "cri/protocol.h"
#include "pod/model.h"
#include "pod/stats.h"
#include "pod/tree_size.h"

namespace fermata::cri {

// Whom the figures are of: the labels that all metrics have.
struct MetricSubject {
  std::string container;  // "" of a pod
  std::string id;         // the path of its group, with '/' before it, as cAdvisor has it
  std::string image;      // "" of a pod
  std::string name;       // its id; "" of a pod
  std::string pod_namespace, pod;
};

// The file system that holds what containers write.
struct StoreFigures {
  std::string device;  // "<major>:<minor>"
  std::uint64_t bytes = 0, inodes = 0, free_inodes = 0;
};

// What is known of a container beside the figures of its group.
struct ContainerFigures {
  ProcessCounts processes;
  pod::TreeUsage written;
  StoreFigures store;
  pod::Resources limits;
  std::int64_t started = 0;  // ns
};

v1::ListMetricDescriptorsResponse metric_descriptors();

// Of a group: processor, memory, block devices, pressure, huge pages, tasks. `now`: ns.
void add_group_metrics(const MetricSubject& subject, const pod::ContainerStats& stats, std::int64_t now,
                       google::protobuf::RepeatedPtrField<v1::Metric>& metrics);
// Of a pod's network.
void add_network_metrics(const MetricSubject& subject, const pod::ContainerStats& stats,
                         google::protobuf::RepeatedPtrField<v1::Metric>& metrics);
void add_container_metrics(const MetricSubject& subject, const ContainerFigures& figures,
                           google::protobuf::RepeatedPtrField<v1::Metric>& metrics);

}  // namespace fermata::cri
