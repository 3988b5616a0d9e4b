// Versions of the CNI specification, as configurations, plugins and results name them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::cni {

using Version = std::array<std::uint32_t, 3>;  // compared number by number

inline constexpr Version kFirstVersion = {0, 1, 0};
// Lists of plugins, and results with several interfaces.
inline constexpr Version kFirstWithChains = {0, 3, 0};
// CHECK, and the result of ADD as an input of DEL.
inline constexpr Version kFirstWithCheck = {0, 4, 0};
inline constexpr Version kFirstWithoutFamily = {1, 0, 0};  // of addresses in results
inline constexpr Version kFirstWithGc = {1, 1, 0};         // and with STATUS
inline constexpr Version kNewestVersion = {1, 1, 0};

// "1.1.0": three numbers, nothing else. nullopt: it is no such text.
std::optional<Version> parse_version(std::string_view text);
std::string format_version(const Version& version);

}  // namespace fermata::cni
