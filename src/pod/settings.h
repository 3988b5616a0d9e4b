// The configuration file, /etc/fermata/config.toml: what an administrator sets once for all commands. TOML.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::pod {

inline constexpr char kSettingsPath[] = "/etc/fermata/config.toml";

struct Settings {
  std::string infra_image;  // runs where the built-in pause would; "": the built-in pause
};

// Unknown keys and values of a wrong type are refused with their line. `path` is for messages.
Result<Settings> parse_settings(std::string_view text, const std::string& path);
// A missing file is an error when `required`; else every setting has its default.
Result<Settings> read_settings(const std::string& path, bool required);

}  // namespace fermata::pod
