// Network configurations: what an administrator writes, CNI specification 1.1, section 1. Pure; reading them
// from a directory is configuration_directory.h.
//
// What belongs to plugins is kept as it was written and is not looked at. Errors name the place in the
// document ("plugins[1].type: missing"); whoever read the file adds its name.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cni/version.h"

namespace fermata::cni {

struct Plugin {
  std::string type;                    // the program's name, in one of the plugin directories
  std::set<std::string> capabilities;  // those that are switched on
  std::string document;                // JSON object, all of it
  bool operator==(const Plugin&) const = default;
};

struct NetworkConfiguration {
  std::string name;
  // Ascending, at least one, none newer than kNewestVersion.
  std::vector<Version> versions;
  bool disable_check = false;
  bool disable_gc = false;
  bool load_only_inlined = false;  // no plugins from the directory beside the file
  std::vector<Plugin> plugins;     // in the order of ADD
  std::string file;                // where it was read; "" otherwise
};

// A list, *.conflist. It may have no plugins of its own (1.1), unless it is `load_only_inlined`.
Result<NetworkConfiguration> parse_network_list(std::string_view text);
// A single plugin that carries the network's name and version, *.conf or *.json: a list of one.
Result<NetworkConfiguration> parse_network_of_one(std::string_view text);
// A plugin that stands in a file of its own, for the list that its directory is named after.
Result<Plugin> parse_plugin(std::string_view text);

// A list with the one version and every plugin inlined, which parse_network_list reads: what is recorded of
// an attachment, so that DEL needs no file.
std::string serialize_network(const NetworkConfiguration& network, const Version& version);

}  // namespace fermata::cni
