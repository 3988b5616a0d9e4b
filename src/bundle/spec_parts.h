// What a specification names by path, opened; and what every container gets beside what it says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// Owns what the specification borrows.
struct SpecParts {
  std::vector<UniqueFd> kept;
};

// Fills the extension fields of `spec`. `cgroup`: of the container, which exists. `root`: of the runtime, for
// its cache of filters.
Result<SpecParts> open_spec(oci::RuntimeSpec* spec, const std::string& bundle, const std::string& cgroup,
                            const std::string& root);

// The compiled filter of linux.seccomp; invalid when there is none.
Result<UniqueFd> open_filter(const oci::RuntimeSpec& spec, const oci::Process& process,
                             const std::string& root);

// The capabilities that its processes can be given: ours, or all in a user namespace, whose members have
// every one over what it owns (user_namespaces(7)).
std::uint64_t grantable_capabilities(const oci::RuntimeSpec& spec);

}  // namespace fermata::bundle
