// What a container gets unless it is told otherwise, as docker has it: capabilities, mounts, devices, masked
// and read-only paths, device rules. Data; the reasons stand beside each row in defaults.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernel/cgroup.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

std::vector<std::string> default_capabilities();
// Docker's --cap-add/--cap-drop: "ALL", "NET_ADMIN", "CAP_NET_ADMIN", any case. An unknown name is an error
// that names the nearest.
Result<std::vector<std::string>> adjust_capabilities(std::vector<std::string> base,
                                                     const std::vector<std::string>& add,
                                                     const std::vector<std::string>& drop);
// All that this kernel knows (/proc/sys/kernel/cap_last_cap), for --privileged; limited to our own bounding
// set.
std::vector<std::string> all_capabilities();

// proc, /dev (tmpfs), devpts, mqueue, sysfs, cgroup (to be expanded, cgroup_mounts.h). /dev/shm is the
// caller's (it belongs to the pod). `privileged`: sysfs and cgroup writable.
std::vector<oci::Mount> default_mounts(bool privileged);
std::vector<oci::Device> default_devices();
std::vector<kernel::DeviceRule> default_device_rules();
std::vector<std::string> masked_paths();
std::vector<std::string> readonly_paths();

// The default seccomp profile (Debian's golang-github-containers-common, found at build time, installed
// beside the programs), compiled for these capabilities and this architecture. The program is cached at
// `<cache_directory>/<key>.bpf`; the returned descriptor is of that file, or of a memfd when the directory
// cannot be written.
Result<UniqueFd> default_seccomp(const std::string& cache_directory, std::vector<std::string> capabilities);
// The profile itself (docker's JSON).
Result<std::string> default_seccomp_profile();
// Only what pause calls, and the execve(2) that becomes it; everything else fails with EPERM. Cached there
// too.
Result<UniqueFd> pause_seccomp(const std::string& cache_directory);
// The same for a profile of the user's (docker's JSON).
Result<UniqueFd> seccomp_from_profile(const std::string& json, const std::vector<std::string>& capabilities);

}  // namespace fermata::runtime
