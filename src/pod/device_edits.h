// CDI devices in a container's configuration. Pure but for the registry's files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "cdi/registry.h"
#include "pod/model.h"

namespace fermata::pod {

// What the devices `names`, and those among config.devices that are named as CDI names devices
// ("vendor.com/class=device", which leave that list), do to the container: environment and groups go where
// the user's are, the rest to config.edits. A mount of theirs takes the place of the user's.
// `unresolvable CDI devices vendor.com/class=name`.
Result<void> inject_cdi(ContainerConfig& config, std::vector<std::string> names, cdi::Registry& registry);

// The devices that annotations "cdi.k8s.io/...": "name,name" ask for, which came before Kubernetes had a
// field of its own for them; in the order of their keys.
Result<std::vector<std::string>> annotated_cdi_devices(const std::map<std::string, std::string>& annotations);

}  // namespace fermata::pod
