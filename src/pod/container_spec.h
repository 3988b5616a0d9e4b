// From what the user and the image say to an OCI runtime spec. Pure: what depends on the machine comes in as
// values, and descriptors (namespaces, mounts) are added by the caller.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/cgroup.h"
#include "oci/image_config.h"
#include "oci/runtime_spec.h"
#include "pod/rows.h"
#include "pod/selinux.h"

namespace fermata::pod {

// Docker's rules for entrypoint, cmd, env, user, directory, volumes. Anonymous volumes have an empty source
// still. "no command specified" when there is nothing to run.
Result<Resolved> resolve_image(const ContainerConfig& config, const oci::ImageConfig& image);

// PATH, HOSTNAME and TERM as docker presets them, then `env`, then HOME unless it was said.
std::vector<std::string> process_env(const std::vector<std::string>& env, const std::string& hostname,
                                     const std::string& home, bool terminal);
// `changes` over `base`: "K=V" replaces, "K" removes.
std::vector<std::string> merge_env(std::vector<std::string> base, const std::vector<std::string>& changes);

// "RLIMIT_NOFILE" for "nofile"; "" if there is no such limit.
std::string rlimit_type(std::string_view ulimit);

struct Security {
  bool no_new_privileges = false;
  bool seccomp_unconfined = false;
  bool paths_unconfined = false;  // nothing masked nor read-only
  std::string seccomp_profile;    // JSON, "" for the default one
  std::string apparmor_profile;   // "": none is asked for
};
Result<Security> parse_security(const std::vector<std::string>& options);

// --device /dev/x[:/dev/y][:rwm]
struct DeviceRequest {
  std::string host, container, access;
};
Result<DeviceRequest> parse_device(std::string_view text);

// The sets of the container's processes, by name.
Result<std::vector<std::string>> container_capabilities(const ContainerConfig& config);
Result<oci::Capabilities> container_sets(const ContainerConfig& config);

struct SpecInput {
  const ContainerConfig& config;
  const Resolved& resolved;
  oci::User user;
  std::vector<std::string> env;      // whole, of process_env()
  std::vector<oci::Device> devices;  // beyond the default ones
  std::uint32_t rows = 0, columns = 0;
  SelinuxLabels labels = {};
};
// Without root, namespaces, and the mounts that are descriptors.
Result<oci::RuntimeSpec> make_spec(const SpecInput& input);
// The built-in pause: no mounts, no devices, no capabilities, no_new_privs.
oci::RuntimeSpec make_pause_spec(const SpecInput& input);

// A mount of the user's (or of a CDI device's) at a place of a default one replaces it, and one at /dev all
// below it as well.
void drop_covered_mounts(std::vector<oci::Mount>& mounts, const ContainerConfig& config);

// `requested`: devices beyond the default ones, each with its access. Nothing is controlled for a privileged
// container.
struct AllowedDevice {
  oci::Device device;
  std::string access;
};
kernel::CgroupLimits make_limits(const ContainerConfig& config, const std::vector<AllowedDevice>& requested);

}  // namespace fermata::pod
