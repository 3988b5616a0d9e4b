// Limits of a control group as properties of a systemd unit, systemd.resource-control(5).
//
// systemd writes a unit's files again whenever it is reloaded; a limit that it was not told of would be gone
// then. What it has no property for, and what it rounds, is written below it by kernel::Cgroup::apply.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "kernel/cgroup_limits.h"

namespace fermata::scope {

struct AllowedDevice {
  std::string path;    // "/dev/char/1:3", "char-136", "block-*"
  std::string access;  // "rwm"
  bool operator==(const AllowedDevice&) const = default;
};

struct Property {
  std::string name;
  std::variant<bool, std::uint64_t, std::string, std::vector<std::uint8_t>, std::vector<AllowedDevice>> value;
  // A systemd that does not know it can do without: the file is written anyway.
  bool optional = false;
};

// For the v2 hierarchy, or for v1's controllers. Fails for a list of processors or nodes that is none, and
// for swap below memory. Pure.
Result<std::vector<Property>> properties_of(const kernel::CgroupLimits& limits, bool v2);

}  // namespace fermata::scope
