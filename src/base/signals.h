// Names and numbers of signals, as `kill`, `stop` and STOPSIGNAL give them. signal(7).
#pragma once

#include <string_view>

#include "base/error.h"

namespace fermata {

// "SIGTERM", "term", "15", "RTMIN+3" -> number. "invalid signal: X" otherwise.
Result<int> parse_signal(std::string_view text);

}  // namespace fermata
