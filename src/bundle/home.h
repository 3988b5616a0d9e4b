// HOME of a process, for programs that rely on it: config.json need not say it, and callers leave it to the
// runtime.
#pragma once

#include <string>

#include "oci/runtime_spec.h"

namespace fermata::bundle {

// Adds HOME to an environment that has none: what the entry of the process's user in /etc/passwd says, or
// "/". Looks for that file where the container will have it: in `spec`'s opened root and mounts.
void add_home(const oci::RuntimeSpec& spec, oci::Process* process);
// The same in a container that runs, by its first process.
void add_home(int pid, oci::Process* process);

}  // namespace fermata::bundle
