// Names of systemd's units for containers, systemd.slice(5) and systemd.scope(5). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::scope {

struct ScopeName {
  std::string slice;  // "system.slice"
  std::string unit;   // "docker-1234.scope"
};

// A runtime specification's linux.cgroupsPath under the systemd driver, "slice:prefix:name"; "" stands for
// "system.slice:fermata:<id>". An empty slice is system.slice; without a prefix the unit is "<name>.scope".
Result<ScopeName> parse_scope_name(std::string_view cgroups_path, std::string_view id);
// Where systemd puts a slice below the root: "a-b.slice" -> "a.slice/a-b.slice"; "-.slice", the root, -> "".
Result<std::string> slice_directory(std::string_view slice);
// The slice that a cgroup parent stands for: its name, or, as kubelets write it, the path of its group:
// "/a.slice/a-b.slice" -> "a-b.slice".
Result<std::string> parent_slice(std::string_view cgroup_parent);

}  // namespace fermata::scope
