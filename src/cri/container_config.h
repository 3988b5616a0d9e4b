// From a container as Kubernetes asks for it to the engine's. Pure.
#pragma once

#include "base/error.h"
#include "cri/protocol.h"
#include "cri/resources.h"
#include "cri/security_profile.h"
#include "pod/model.h"

namespace fermata::cri {

struct ContainerPlace {
  std::string pod;                          // its id
  const v1::RunPodSandboxRequest& sandbox;  // as it was run
};

// `request.sandbox_config` is not looked at: the pod is as it was run. A PID namespace of another container
// is named in config.pid.target as the request has it: whether that one is of this pod is the caller's to
// see.
Result<pod::ContainerConfig> plan_container(const v1::CreateContainerRequest& request,
                                            const ContainerPlace& place, const LimitSupport& limits,
                                            const ReadProfile& read);

// "SIGTERM", "SIGRTMIN+3"; "" of RUNTIME_DEFAULT.
std::string signal_name(v1::Signal signal);
// Of a name or number as images have them; SIGTERM if it is none.
v1::Signal signal_of(const std::string& name);

}  // namespace fermata::cri
