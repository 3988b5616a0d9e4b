// Which mounts of a container are not its own, so that CRIU has to leave them to whoever restores it: what
// was bound from the host, and all that is mounted below such a one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernel/mountinfo.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// What a masked file shows, and the key of such mounts.
inline constexpr char kNullDevice[] = "/dev/null";

bool is_bind(const oci::Mount& mount);

// A mount that the container was made with. "": its own; else the key that a restore knows it by.
using KnownMounts = std::map<std::uint64_t, std::string>;  // by the mount's number

// Pure. Mount point -> key; of a mount that is not known, the mount point itself.
std::vector<std::pair<std::string, std::string>> external_mounts(const std::vector<kernel::MountLine>& mounts,
                                                                 const KnownMounts& known);
// Of a running container. Destinations are looked up inside of it: a symlink of its image may lead elsewhere.
Result<std::vector<std::pair<std::string, std::string>>> external_mounts_of(const oci::RuntimeSpec& spec,
                                                                            int pid);

}  // namespace fermata::bundle
