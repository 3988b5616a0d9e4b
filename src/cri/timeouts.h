// Timeouts of calls.
#pragma once

#include <cstdint>

namespace fermata::cri {

// Seconds: as good as no limit, and the sum with any clock does not overflow.
inline constexpr std::int64_t kMaxTimeout = 10L * 365 * 24 * 3600;

}  // namespace fermata::cri
