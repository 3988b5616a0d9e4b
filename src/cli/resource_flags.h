// The flags that limit what a container may use: of `run`, `create` and `update`.
#pragma once

#include <span>

#include "cli/core/flags.h"
#include "pod/model.h"

namespace fermata::cli {

// `specs`: the command's whole table, for messages. As docker has it, 0 is as good as no flag.
Result<pod::Resources> resource_flags(const Flags& flags, std::span<const FlagSpec> specs);

}  // namespace fermata::cli
