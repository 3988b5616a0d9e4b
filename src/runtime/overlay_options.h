// The options of an overlay root.
#pragma once

#include <string>

#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

// What mount(2) gets for overlayfs when `layers_directory` is the working directory. An error when the kernel
// would not read all of it. Pure.
Result<std::string> overlay_options(const oci::RuntimeSpec::Overlay& overlay);

}  // namespace fermata::runtime
