// --runtime: who makes a container's process.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::cli {

// The program of an OCI runtime, absolute: `text` itself if it is a path, else the program of that name in
// `path` (directories, ":" between them). "" for "fermata", which is the engine itself.
Result<std::string> find_runtime(std::string_view text, std::string_view path);

}  // namespace fermata::cli
