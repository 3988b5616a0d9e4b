// What a running container was made from, as the OCI runtime specification writes it down: for those who read
// a checkpoint, and to tell CRIU what is not the container's own.
#pragma once

#include "oci/runtime_spec.h"
#include "pod/engine_impl.h"

namespace fermata::pod {

// `pid`: of its first process. Descriptors of its start are gone: namespaces that it has joined have paths
// below /proc/<pid>, other things are named by what they show.
Result<oci::RuntimeSpec> checkpoint_spec(Engine::Impl& engine, const PodRow& pod,
                                         const ContainerRow& container, int pid);

}  // namespace fermata::pod
