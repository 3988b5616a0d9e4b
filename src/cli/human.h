// Times in words and in the forms docker prints, and the forms it reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "cli/core/duration.h"

namespace fermata::cli {

// Seconds -> "Less than a second", "About a minute", "2 weeks".
std::string human_duration(std::int64_t seconds);
// "2026-11-21 11:47:46 +0000 UTC", in the local zone.
std::string local_time(std::int64_t time);
// --since and --until: RFC 3339 (also a date alone, or without zone: local), Unix seconds with a fraction, or
// a duration before `now`
// ("10m", "1h30m"). -> ns.
Result<std::int64_t> parse_time(std::string_view text, std::int64_t now);

}  // namespace fermata::cli
