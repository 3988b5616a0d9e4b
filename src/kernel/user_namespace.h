// User namespaces as descriptors. user_namespaces(7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::kernel {

// A line of uid_map or gid_map: `size` ids from `inside` on are those of our namespace from `outside` on.
struct IdRange {
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t size = 0;
  bool operator==(const IdRange&) const = default;
};

struct IdMaps {
  std::vector<IdRange> uids, gids;
  bool operator==(const IdMaps&) const = default;
};

// A new one with these maps, which nobody is in: it lives as long as the descriptor, or what was made with it
// (a container's namespaces, an idmapped mount). Safe in a process with threads.
Result<UniqueFd> make_user_namespace(const IdMaps& maps);

// The maps of an existing one, towards ours.
Result<IdMaps> read_id_maps(int user_namespace);

// The content of a map file; IdMaps::uids -> "0 100000 65536\n". Pure.
std::string format_id_map(const std::vector<IdRange>& ranges);
// The other way. Pure.
Result<std::vector<IdRange>> parse_id_map(std::string_view text);

}  // namespace fermata::kernel
