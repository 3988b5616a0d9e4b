// Containers as `ps` and `inspect` show them.
#pragma once

#include <optional>

#include "cli/value.h"
#include "pod/model.h"

namespace fermata::cli {

// Bytes: what the container has written, and that together with its image.
struct ContainerSize {
  std::uint64_t written = 0, whole = 0;
};

// "Up 5 minutes", "Exited (0) 2 hours ago", "Created"
std::string status_text(const pod::ContainerInfo& container, std::int64_t now);
// A row of `ps`: ID, Image, Command, CreatedAt, RunningFor, Ports, State, Status, Names, Labels, Mounts, ...;
// .Label "key". Without a size, .Size is "0B", as in docker.
Value container_row(const pod::ContainerInfo& container, std::int64_t now, bool truncate,
                    const std::optional<ContainerSize>& size = {});
// Docker's structure.
Value inspect_container(const pod::ContainerInfo& container, const std::optional<ContainerSize>& size = {});

}  // namespace fermata::cli
