// The descriptor of a seccomp filter's notifications, to the agent that the specification names
// (linux.seccomp.listenerPath); config-linux.md, "The Container Process State".
#pragma once

#include <map>
#include <string>

#include "base/error.h"
#include "bundle/record.h"

namespace fermata::bundle {

// `seccomp`: the linux.seccomp object.
Result<void> send_listener(const std::string& seccomp, const Container& container,
                           const std::map<std::string, std::string>& annotations, int pid, int listener);

}  // namespace fermata::bundle
