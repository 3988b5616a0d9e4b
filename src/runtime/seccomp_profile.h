// Seccomp profiles (JSON) as policies: docker's files and linux.seccomp of a config.json, which is a subset
// of their form with flags and a listener. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/seccomp.h"

namespace fermata::runtime {

// What the profile's `includes` and `excludes` are asked about.
struct SeccompContext {
  std::vector<std::string> capabilities;  // of the container: "CAP_SYS_ADMIN", ...
  std::string architecture;               // GOARCH: "amd64"
  std::string kernel;                     // of the host, uname's release: "6.1.0-18-amd64"
};

struct SeccompProfile {
  kernel::SeccompPolicy policy;
  std::uint32_t flags = 0;  // SECCOMP_FILTER_FLAG_*, with NEW_LISTENER when the policy notifies
  // Where the descriptor of the notifications goes, and what goes along; runtime-spec, "linux.seccomp".
  std::string listener_path, listener_metadata;
};

Result<SeccompProfile> parse_seccomp_profile(std::string_view json, const SeccompContext& context);

}  // namespace fermata::runtime
