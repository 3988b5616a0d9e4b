// Capabilities by name and number, and sets of them as bit masks. capabilities(7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::kernel {

// All that this build knows, in the order of their numbers: "CAP_CHOWN" is 0.
const std::vector<std::string>& capability_names();
// Of "CAP_NET_ADMIN", exactly so; nullopt when unknown.
std::optional<int> capability_number(std::string_view name);
// The bits of these names. An unknown one is an error.
Result<std::uint64_t> capability_mask(const std::vector<std::string>& names);
// The names of these bits; bits without a name are left out.
std::vector<std::string> capability_list(std::uint64_t mask);
// What this process may give to others: its bounding set.
std::uint64_t own_bounding_set();
// What this process may do itself.
std::uint64_t own_effective_set();

}  // namespace fermata::kernel
