// Whose the standard streams are. A program opens /dev/stdout anew, by the permissions of the pipe or
// terminal behind it: in a user namespace its user is nobody there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "oci/runtime_spec.h"

namespace fermata::runtime {

// The host's id of a container's; nullopt: it is not mapped. Pure.
std::optional<std::uint32_t> host_id(const std::vector<oci::IdMapping>& mappings, std::uint32_t id);

// Gives pipes, sockets and terminals among `streams` to the host's `uid`, as init does it where ids are not
// mapped. /dev/null is everybody's; a file is left to its owner. Where the file system refuses, nothing is
// lost that was there before.
void give_streams(const std::array<int, 3>& streams, std::uint32_t uid);

}  // namespace fermata::runtime
