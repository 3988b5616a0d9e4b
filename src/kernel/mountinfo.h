// Lines of /proc/<pid>/mountinfo; proc_pid_mountinfo(5). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::kernel {

struct MountLine {
  std::string point;          // where it is mounted, for whoever reads the file
  std::string type;           // "cgroup2"
  std::string super_options;  // of the file system: "rw,memory"
  std::uint64_t id = 0, parent = 0;
};

// nullopt: it is no such line.
std::optional<MountLine> parse_mount(std::string_view line);

}  // namespace fermata::kernel
