// The way into a container that is there: for exec, and for hooks that run inside.
#pragma once

#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "bundle/record.h"
#include "bundle/runtime.h"
#include "oci/runtime_spec.h"
#include "runtime/launch_plan.h"

namespace fermata::bundle {

struct Entry {
  UniqueFd pidfd, pid_namespace;
  runtime::ExecTarget target;  // borrows them
};

// Into the namespaces of process `pid`, which started at `pid_start` (0: it is known to live).
Result<Entry> open_entry(int pid, std::int64_t pid_start);

// Whether prestart, createRuntime or createContainer hooks are there, and to run them: the first two here,
// the third inside, all while init stands before its change of root.
bool has_creation_hooks(const oci::RuntimeSpec& spec);
Result<void> run_creation_hooks(const Options& options, const oci::RuntimeSpec& spec,
                                const Container& container);
// startContainer: inside, as the container's own user.
Result<void> run_start_hooks(const Options& options, const oci::RuntimeSpec& spec,
                             const Container& container);

}  // namespace fermata::bundle
