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
// Every node below /dev, without terminals (the container has its own) and what is mounted there.
std::vector<AllowedDevice> all_host_devices();

}  // namespace fermata::pod
