// The name that a mistyped one probably meant.
#pragma once

#include <span>
#include <string_view>

namespace fermata {

// "" when nothing is near: more than a third of the letters (but one may) would have to change.
std::string_view nearest(std::string_view given, std::span<const std::string_view> names);

}  // namespace fermata
