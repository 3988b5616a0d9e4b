// Programs that are executed beside a container.
#pragma once

#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::kernel {

// Our own program at `path`, to be executed (execveat(2)) through a read-only detached mount: a container
// that reaches it as /proc/<pid>/exe cannot open it for writing (CVE-2019-5736).
Result<UniqueFd> open_program(const std::string& path);

}  // namespace fermata::kernel
