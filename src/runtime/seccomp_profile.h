// Docker's seccomp profiles (JSON) as policies. Pure.
#pragma once

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

Result<kernel::SeccompPolicy> parse_seccomp_profile(std::string_view json, const SeccompContext& context);

}  // namespace fermata::runtime
