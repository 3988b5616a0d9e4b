// The ids of pods' user namespaces: who maps what, and ranges that nobody else has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/user_namespace.h"
#include "pod/model.h"

namespace fermata::pod {

kernel::IdMaps id_maps(const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids);

// What is wrong with it, as far as that can be told without the kernel. Pure.
Result<void> check_user_namespace(const UserNamespace& wanted);

// The file becomes its user and group 0's.
Result<void> own_by_root(const std::string& path, const UserNamespace& owners);

// The host's ids `first`, `first` + 1, ...
struct IdSpan {
  std::uint32_t first = 0;
  std::uint64_t size = 0;
};
// Those of `owner` in a file such as /etc/subuid; subuid(5). Lines that are no such are left out. Pure.
std::vector<IdSpan> parse_subordinate_ids(std::string_view text, std::string_view owner);
// 65536 ids in a row, of `offered` and of none of `used`; the lowest. nullopt: there are none left. Pure.
std::optional<std::uint32_t> free_range(const std::vector<IdSpan>& offered, const std::vector<IdSpan>& used);

// Of the ids that /etc/subuid and /etc/subgid give to "containers", those that none of `others` maps.
Result<UserNamespace> choose_user_namespace(const std::vector<UserNamespace>& others);

}  // namespace fermata::pod
