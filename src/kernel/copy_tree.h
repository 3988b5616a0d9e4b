// Copies a directory's contents with owners, modes, times, extended attributes, links and devices: what fills
// a new volume from the image.
#pragma once

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::kernel {

// Both are directories; the target's own owner, mode and times become the source's. What exists in the target
// already is replaced, so that an interrupted copy can be repeated. Links are never followed.
Result<void> copy_tree(int source, int target);

}  // namespace fermata::kernel
