// config.json of the OCI runtime specification (config.md, config-linux.md), as JSON text.
//
// Reading is strict about what it understands (types, ranges, enumerated words, absolute paths) and, as the
// specification asks, ignores properties that it does not know. Every error names the field: "process.cwd: ''
// is not an absolute path". Pure; nothing is opened.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::oci {

// The newest version of the specification whose fields are understood.
inline constexpr std::string_view kRuntimeSpecVersion = "1.3.0";

// A whole config.json.
Result<RuntimeSpec> parse_runtime_spec(std::string_view json);
// A `process` object alone (exec --process).
Result<Process> parse_process(std::string_view json);
// A `linux.resources` object alone (update --resources).
Result<Resources> parse_resources(std::string_view json);

// What `spec` writes: a config.json that runs `sh` in ./rootfs with all namespaces, the default mounts and a
// small set of capabilities.
std::string example_runtime_spec();

}  // namespace fermata::oci
