// --owner: whose containers or images a command is about. What Kubernetes has is the owner cri's, everything
// else is the command line's own.
#pragma once

#include "base/error.h"
#include "cli/command.h"

namespace fermata::cli {

inline constexpr FlagSpec kContainerOwner = {"owner", 0, FlagKind::text, "string",
                                             "Whose containers: cli, cri or all (default \"cli\")"};
// Layers are shared, names are not: so there is nobody who has all.
inline constexpr FlagSpec kImageOwner = {
    "owner", 0, FlagKind::text, "string",
    "Whose images: cli or cri, as Kubernetes sees them (default \"cli\")"};

// Before the first App::engine().
Result<void> choose_container_owner(App& app, const Flags& flags);
Result<void> choose_image_owner(App& app, const Flags& flags);

}  // namespace fermata::cli
