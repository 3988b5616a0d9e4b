// The options of a mount as the runtime specification has them, sorted into what mount(2) takes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fermata::runtime {

struct MountOptions {
  std::uint32_t flags = 0;        // MS_*, without propagation
  std::uint32_t propagation = 0;  // MS_PRIVATE, ..., with MS_REC for the r forms
  std::string data;               // what the file system itself gets: "mode=755,size=64k"
};

MountOptions parse_mount_options(const std::vector<std::string>& options);
// MS_* of "rprivate", "slave", ...; 0 when it is none.
std::uint32_t parse_propagation(const std::string& name);

}  // namespace fermata::runtime
