// Paths for those who stand in another directory.
#pragma once

#include <string>

#include "base/error.h"

namespace fermata {

// From this process's working directory; "" stays what it is.
Result<std::string> absolute_path(const std::string& path);

}  // namespace fermata
