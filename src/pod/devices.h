// Device nodes of the host for --device and --privileged.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "pod/container_spec.h"

namespace fermata::pod {

// A node, or every node below a directory, as docker has it.
// `error gathering device information while adding custom device "/dev/x": no such file or directory`.
Result<std::vector<AllowedDevice>> find_devices(const DeviceRequest& request);
// A node of a CDI device; what it does not say is the host's node's, and its owner the container's `user`. A
// node that says its type and number need not be there. `CDI device "/dev/x": no such file or directory`.
Result<AllowedDevice> find_edited_device(const cdi::DeviceNode& wanted, const oci::User& user);
// Every node below /dev, without terminals (the container has its own) and what is mounted there.
std::vector<AllowedDevice> all_host_devices();

}  // namespace fermata::pod
