// The options of a mount as the runtime specification has them, sorted into what the kernel takes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel/core/mount_attributes.h"

namespace fermata::runtime {

// mount(2) copies one page of options and cuts off the rest without a word.
inline constexpr std::size_t kMaxMountData = 4095;

struct MountOptions {
  enum class Idmap { none, top, recursive };

  std::uint32_t flags = 0;             // MS_* of mount(2), without propagation
  kernel::MountAttributes attributes;  // the same of a mount that is bound: what is named, and nothing else
  bool copy_up = false;                // tmpcopyup
  Idmap idmap = Idmap::none;
  std::string data;  // what the file system itself gets: "mode=755,size=64k"

  bool binds() const;
  bool remounts() const;
};

MountOptions parse_mount_options(const std::vector<std::string>& options);
// Every word of the specification that is understood.
std::vector<std::string> mount_option_names();
// MS_* of "rprivate", "slave", ...; 0 when it is none.
std::uint32_t parse_propagation(const std::string& name);

}  // namespace fermata::runtime
