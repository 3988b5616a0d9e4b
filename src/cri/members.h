// Containers of pods together with the requests that made them.
#pragma once

#include <string>
#include <vector>

#include "cri/inventory.h"
#include "cri/protocol.h"
#include "cri/statuses.h"
#include "pod/engine.h"

namespace fermata::cri {

struct Member {
  pod::ContainerInfo info;
  v1::CreateContainerRequest request;
};

// Of one pod, by its id, or the beginning of it.
Result<std::vector<Member>> members_of(pod::Engine& engine, const std::string& pod);
// Why a process was not started. What was not found is in the container then: NOT_FOUND would say that the
// container is gone.
Error start_error(Error error);
// An infra container is none: it is its pod.
Result<Member> member(pod::Engine& engine, const std::string& container);

// `wanted`: what its user calls it, which comes before its other names; "": nothing.
Result<ImageNames> names_of_image(pod::Engine& engine, const std::string& id, const std::string& wanted);
Result<v1::ContainerStatus> status_of(pod::Engine& engine, const Member& member);
Result<v1::ContainerStatus> status_of(pod::Engine& engine, const KnownContainer& container);

struct Pod {
  pod::PodInfo info;
  v1::RunPodSandboxRequest request;
};

// By id or the beginning of one.
Result<Pod> pod_of(pod::Engine& engine, const std::string& id);

}  // namespace fermata::cri
