// What the engine keeps with a pod or a container for us: the message that asked for it, which holds what
// Kubernetes wants told back and the engine has no use for.
#pragma once

#include <string>

#include "base/error.h"
#include "cri/protocol.h"
#include "pod/model.h"

namespace fermata::cri {

// Text, for pod::ContainerConfig::attachment.
std::string keepsake_of(const google::protobuf::MessageLite& request);

// Of a pod's infra container. `config` of it is whole; Error: it is of somebody else's making.
Result<v1::RunPodSandboxRequest> sandbox_request(const pod::ContainerInfo& infra);
// Without the pod's configuration, which is the pod's.
Result<v1::CreateContainerRequest> container_request(const pod::ContainerInfo& container);

}  // namespace fermata::cri
