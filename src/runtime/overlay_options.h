// The options of an overlay root.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

// What mount(2) gets for overlayfs when `layers_directory` is the working directory. An error when the kernel
// would not read all of it. `label`: what SELinux calls all that is seen in there; "": what it is on disk.
// Pure.
Result<std::string> overlay_options(const oci::RuntimeSpec::Overlay& overlay, std::string_view label = {});

}  // namespace fermata::runtime
