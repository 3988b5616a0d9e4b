// The configuration file, /etc/fermata/config.toml: what an administrator sets once for all commands. TOML.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cdi/registry.h"

namespace fermata {
class TomlReader;
}

namespace fermata::pod {

inline constexpr char kSettingsPath[] = "/etc/fermata/config.toml";

// Who makes the control groups of pods: we ourselves, or systemd, which we then ask for a scope for each.
enum class CgroupManager { cgroupfs, systemd };
const char* to_string(CgroupManager manager);
std::optional<CgroupManager> parse_cgroup_manager(std::string_view name);

// Of any file of settings that has them.
Result<void> read_cgroup_manager(TomlReader& reader, CgroupManager& manager);
Result<void> check_infra_image(const std::string& image);

struct Settings {
  std::string infra_image;  // runs where the built-in pause would; "": the built-in pause
  CgroupManager cgroup_manager = CgroupManager::cgroupfs;
  std::vector<std::string> cdi_spec_dirs = cdi::kDefaultDirectories;  // later ones win
};

// Unknown keys and values of a wrong type are refused with their line. `path` is for messages.
Result<Settings> parse_settings(std::string_view text, const std::string& path);
// A missing file is an error when `required`; else every setting has its default.
Result<Settings> read_settings(const std::string& path, bool required);

}  // namespace fermata::pod
