// What pods and containers of Kubernetes are called in the engine, so that `fermata ps` shows names that
// say which they are. Unique as long as their attempts are counted.
#pragma once

#include <string>

#include "base/error.h"
#include "cri/protocol.h"

namespace fermata::cri {

// k8s_POD_<pod>_<namespace>_<uid>_<attempt>. A pod without a name is refused.
Result<std::string> sandbox_name(const v1::PodSandboxMetadata& pod);
// k8s_<container>_<pod>_<namespace>_<uid>_<attempt>, the attempt being the container's.
Result<std::string> container_name(const v1::ContainerMetadata& container, const v1::PodSandboxMetadata& pod);

}  // namespace fermata::cri
