// A config.json from values, for another OCI runtime: the other direction of oci/runtime_document.h, for what
// an engine asks for. Extensions are left out but for descriptors of namespaces, which become paths.
#pragma once

#include <string>

#include "oci/runtime_spec.h"

namespace fermata::oci {

// `pid`: of the process that holds the descriptors; 0: there are none. Not written: what no engine of ours
// asks for (time namespaces and offsets, scheduler, ioPriority, affinity, memoryPolicy, personality,
// intelRdt, netDevices).
std::string runtime_document(const RuntimeSpec& spec, int pid = 0);
// A `process` object alone (exec --process).
std::string process_document(const Process& process);

}  // namespace fermata::oci
