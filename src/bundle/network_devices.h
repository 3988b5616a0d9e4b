// linux.netDevices: interfaces of the host that go into a container's network namespace; config-linux.md,
// "Network Devices".
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "kernel/network_device.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// What has gone into a container that may yet fail: comes back with this object's end, unless it is kept.
class MovedDevices {
 public:
  // Those that the specification names, into the network namespace of process `pid`. All of them are looked
  // at before the first is moved.
  static Result<MovedDevices> move(const oci::RuntimeSpec& spec, int pid);
  MovedDevices() = default;
  MovedDevices(MovedDevices&& other) noexcept;
  MovedDevices& operator=(MovedDevices&& other) noexcept;
  ~MovedDevices();
  void keep() { moved_.clear(); }

 private:
  struct Moved {
    std::string old_name;
    bool was_up = false;
    kernel::NetworkDevice device;
  };
  Result<void> move_one(const kernel::NetworkDevice& device, const std::string& name);
  void bring_back();
  std::vector<kernel::NetworkPlace> places_;  // ours, and the container's
  std::vector<Moved> moved_;
};

}  // namespace fermata::bundle
