// Made-up names for containers that were given none: "quiet_harbour".
#pragma once

#include <string>

namespace fermata::pod {

// `attempt` 0, 1, ...: from the third on a number makes a free name likely.
std::string made_up_name(int attempt);

}  // namespace fermata::pod
