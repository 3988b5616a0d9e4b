// The way into a container that is there: for exec, and for hooks that run inside.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "bundle/launch.h"
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

// A hook of the host's, in the container's namespaces. `init`: the path of fermata-init.
Result<Child> start_hook_inside(const std::string& init, const oci::Hook& hook, const Entry& entry,
                                const std::array<int, 3>& streams);
// A hook of the container's, with no more rights than its own `process` will have. `seccomp_program` and
// `grantable_capabilities` as plan_exec() has them.
struct HookRights {
  oci::Process process;
  int seccomp_program = -1;
  std::uint64_t grantable_capabilities = ~std::uint64_t{0};
};
Result<Child> start_hook_as_process(const std::string& init, const HookRights& rights, const oci::Hook& hook,
                                    const Entry& entry, const std::array<int, 3>& streams);

// Whether prestart, createRuntime or createContainer hooks are there, and to run them: the first two here,
// the third inside, all while init stands before its change of root.
bool has_creation_hooks(const oci::RuntimeSpec& spec);
Result<void> run_creation_hooks(const Options& options, const oci::RuntimeSpec& spec,
                                const Container& container);
// startContainer: inside, as the container's own user.
Result<void> run_start_hooks(const Options& options, const oci::RuntimeSpec& spec,
                             const Container& container);

}  // namespace fermata::bundle
