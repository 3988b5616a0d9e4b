// How pods and containers stand, in the CRI's messages: from what the engine says and from the request that
// made them. Pure.
#pragma once

#include <string>

#include "cri/protocol.h"
#include "pod/model.h"

namespace fermata::cri {

// What an image is called now; empty when it is not here any more.
struct ImageNames {
  std::string tag;     // "docker.io/library/nginx:latest"
  std::string digest;  // "docker.io/library/nginx@sha256:..."
};

v1::PodSandboxStatus status_of(const pod::PodInfo& pod, const v1::RunPodSandboxRequest& request);
v1::PodSandbox entry_of(const pod::PodInfo& pod, const v1::RunPodSandboxRequest& request);
// A status is the entry of a list and more. Without what is in the entry, to be kept beside it; and whole
// again.
v1::PodSandboxStatus without_entry(v1::PodSandboxStatus status);
v1::PodSandboxStatus with_entry(v1::PodSandboxStatus rest, const v1::PodSandbox& entry);

v1::ContainerState state_of(const pod::ContainerInfo& container);
// The image is called as it was asked for.
v1::ContainerStatus status_of(const pod::ContainerInfo& container, const v1::CreateContainerRequest& request);
// What its user calls it, as far as we were told.
const std::string& asked_name(const v1::ImageSpec& image);
void put_image_names(const ImageNames& image, v1::ContainerStatus& status);
v1::Container entry_of(const pod::ContainerInfo& container, const v1::CreateContainerRequest& request);
v1::ContainerStatus without_entry(v1::ContainerStatus status);
v1::ContainerStatus with_entry(v1::ContainerStatus rest, const v1::Container& entry);

// Filters of lists. An id may be the beginning of one; absent conditions hold.
bool matches(const v1::PodSandboxFilter& filter, const v1::PodSandbox& pod);
bool matches(const v1::ContainerFilter& filter, const v1::Container& container);
using Labels = google::protobuf::Map<std::string, std::string>;
bool has_labels(const Labels& labels, const Labels& wanted);

// For the verbose forms: one JSON object under "info".
std::string details_of(const pod::PodInfo& pod, const v1::RunPodSandboxRequest& request);
std::string details_of(const pod::ContainerInfo& container, const v1::CreateContainerRequest& request);

}  // namespace fermata::cri
