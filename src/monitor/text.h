// Numbers and times as text, without stdio and locale (they cost more memory than the monitor has). Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fermata::monitor {

// "2026-11-21T11:41:48.000000001Z", always this long, no NUL.
inline constexpr std::size_t kTimestampSize = 30;
void format_timestamp(std::int64_t realtime_ns, char* out);

// Decimal; returns the end. `out` holds 20 characters and a sign.
char* append_number(char* out, std::int64_t value);
char* append_text(char* out, const char* text);

// The number after the line's word `key` ("oom_kill 3"); 0 when there is none.
std::uint64_t find_counter(const char* text, std::size_t size, const char* key);

}  // namespace fermata::monitor
