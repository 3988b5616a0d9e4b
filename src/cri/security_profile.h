// Seccomp, AppArmor and SELinux as Kubernetes names them, in the words of the engine's security_opt.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cri/protocol.h"

namespace fermata::cri {

// Reads a seccomp profile, a file of the host's.
using ReadProfile = std::function<Result<std::string>(const std::string& path)>;
// From the node's own disk, as far as a profile goes (1 MiB).
Result<std::string> read_profile(const std::string& path);

// Of a sandbox's or a container's security context, which it borrows.
struct SecurityProfiles {
  SecurityProfiles() = default;
  explicit SecurityProfiles(const v1::LinuxSandboxSecurityContext& context);
  explicit SecurityProfiles(const v1::LinuxContainerSecurityContext& context);

  // Without a profile in either form: seccomp is unconfined, as the CRI has it.
  const v1::SecurityProfile* seccomp = nullptr;
  std::string seccomp_path;  // the deprecated form: "runtime/default", "unconfined", "localhost/<path>"
  const v1::SecurityProfile* apparmor = nullptr;
  std::string apparmor_profile;  // the deprecated form, "localhost/<name>"
};

// For pod::ContainerConfig::security_opt.
Result<std::vector<std::string>> security_options(const SecurityProfiles& profiles, const ReadProfile& read);

// "user:role:type:level"; what is left out is what containers have by default. "" without any.
std::string selinux_label(const v1::SELinuxOption& options);

}  // namespace fermata::cri
