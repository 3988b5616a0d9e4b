// Containers as `ps` and `inspect` show them.
#pragma once

#include "cli/value.h"
#include "pod/model.h"

namespace fermata::cli {

// "Up 5 minutes", "Exited (0) 2 hours ago", "Created"
std::string status_text(const pod::ContainerInfo& container, std::int64_t now);
// A row of `ps`: ID, Image, Command, CreatedAt, RunningFor, Ports, State, Status, Names, Labels, Mounts, ...;
// .Label "key".
Value container_row(const pod::ContainerInfo& container, std::int64_t now, bool truncate);
// Docker's structure.
Value inspect_container(const pod::ContainerInfo& container);

}  // namespace fermata::cli
