// What a specification names by path, opened; and what every container gets beside what it says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "oci/runtime_spec.h"
#include "runtime/seccomp_cache.h"

namespace fermata::bundle {

// Owns what the specification borrows.
struct SpecParts {
  std::vector<UniqueFd> kept;
  std::vector<std::string> skipped;  // what was asked and left out, with the reason
  std::uint32_t seccomp_flags = 0;   // runtime::StartOptions has them
};

// A namespace's file, held. What else the path may lead to is not opened: a FIFO would wait for a writer.
Result<UniqueFd> open_namespace(const std::string& path);

// Fills the extension fields of `spec`. `cgroup`: of the container, which exists. `root`: of the runtime, for
// its cache of filters.
Result<SpecParts> open_spec(oci::RuntimeSpec* spec, const std::string& bundle, const std::string& cgroup,
                            const std::string& root);

// The compiled filter of linux.seccomp; its program is invalid when there is none.
Result<runtime::CompiledSeccomp> open_filter(const oci::RuntimeSpec& spec, const oci::Process& process,
                                             const std::string& root);

// What to warn of: that the process keeps the score it inherits, because the kernel lets nobody lower it
// without CAP_SYS_RESOURCE (proc_pid_oom_score_adj(5)). "": it gets what it asks for.
std::string unreachable_oom_score(const oci::Process& process);

// What the caller was given as standard streams goes to the process's user, whom nobody else's streams would
// let open /dev/stdout. In a user namespace only we can do it.
void give_streams(const oci::RuntimeSpec& spec, const oci::Process& process);

// The capabilities that its processes can be given: ours, or all in a user namespace, whose members have
// every one over what it owns (user_namespaces(7)).
std::uint64_t grantable_capabilities(const oci::RuntimeSpec& spec);

}  // namespace fermata::bundle
