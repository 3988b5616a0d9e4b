// What has become of a pod since it was last looked at, as events: each created, started, stopped and deleted
// once, in the order in which they happen, however late one looks. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cri/protocol.h"

namespace fermata::cri {

// A pod and its containers at one moment.
struct PodSnapshot {
  v1::PodSandboxStatus pod;
  std::vector<v1::ContainerStatus> containers;
};

// `before` nullopt: it was not there; `now` nullopt: it is gone. A pod is told of like a container of its id.
std::vector<v1::ContainerEventResponse> changes(const std::optional<PodSnapshot>& before,
                                                const std::optional<PodSnapshot>& now, std::int64_t time);

}  // namespace fermata::cri
