// linux.seccomp of a config.json, for another runtime to compile. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "runtime/seccomp_profile.h"

namespace fermata::runtime {

// A profile with its conditions decided: what docker's files have beyond the specification is gone. Refused
// when it notifies: nobody would answer.
Result<std::string> seccomp_document(std::string_view profile, const SeccompContext& context);

}  // namespace fermata::runtime
