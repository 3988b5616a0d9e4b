// The config.json that hooks find in a container's bundle: they look there for its root, its environment and
// what else they go by. config.md of the OCI runtime specification.
#pragma once

#include <string>

#include "oci/runtime_spec.h"

namespace fermata::pod {

// Of what a container is made from; what is a descriptor is named by what it shows, the hooks' own list is
// left out. `root`: the path at which createContainer hooks see the root file system.
std::string hook_document(const oci::RuntimeSpec& spec, const std::string& root);

}  // namespace fermata::pod
