// The parts of help texts, in docker's layout.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/core/flags.h"

namespace fermata::cli {

// A line for each flag, wrapped at the terminal's width.
std::string flag_table(std::span<const FlagSpec> flags);
// A line for each command: name and summary.
std::string command_rows(const std::vector<std::pair<std::string_view, std::string_view>>& rows);
// "requires exactly 2 arguments"; "" when the number fits.
std::string argument_need(std::size_t least, std::size_t most, std::size_t given);

}  // namespace fermata::cli
