// Reading one file of a root file system that is not mounted: its layers are searched from the top as
// overlayfs does, with whiteouts, opaque directories and symlinks. Cheaper than a mount for /etc/passwd, and
// nothing to clean up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace fermata::pod {

// `layers`: directories, top first; missing ones are skipped. nullopt: there is no such regular file. Fails
// above 1 MiB.
Result<std::optional<std::string>> read_layered_file(const std::vector<std::string>& layers,
                                                     const std::string& path);

}  // namespace fermata::pod
