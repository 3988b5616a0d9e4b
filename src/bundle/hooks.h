// Hooks of a container's life; config.md, "POSIX-platform Hooks". Each gets the container's state on its
// standard input, and must end with 0 within its time; what it prints is part of the error when it does not.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bundle/launch.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// Starts the program of a hook with these standard streams.
using StartHook = std::function<Result<Child>(const oci::Hook& hook, const std::array<int, 3>& streams)>;

// In our own namespaces.
Result<Child> start_hook_here(const oci::Hook& hook, const std::array<int, 3>& streams);

// One after the other; the first failure ends the list. `kind`: "createRuntime", for messages.
Result<void> run_hooks(const std::vector<oci::Hook>& hooks, std::string_view kind, const std::string& state,
                       const StartHook& start);
// Goes on after a failure; what failed, for a warning each.
std::vector<Error> run_all_hooks(const std::vector<oci::Hook>& hooks, std::string_view kind,
                                 const std::string& state);

}  // namespace fermata::bundle
