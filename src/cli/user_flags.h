// The flags of user namespaces: --userns, --uidmap, --gidmap.
#pragma once

#include <span>

#include "cli/core/flags.h"
#include "pod/model.h"

namespace fermata::cli {

// Into config.user_namespace and own_users. `specs`: the command's whole table, for messages.
Result<void> user_namespace_flags(const Flags& flags, std::span<const FlagSpec> specs,
                                  pod::ContainerConfig* config);

}  // namespace fermata::cli
