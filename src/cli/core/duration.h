#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fermata::cli {

// Go's time.ParseDuration, ns: "1h30m", "1.5s", "100ms".
std::optional<std::int64_t> parse_duration(std::string_view text);

}  // namespace fermata::cli
