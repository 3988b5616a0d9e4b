// The directory with network configurations, /etc/cni/net.d.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cni/configuration.h"

namespace fermata::cni {

inline constexpr const char* kDefaultConfigurationDirectory = "/etc/cni/net.d";

struct Configuration {
  std::vector<NetworkConfiguration> networks;  // pods get them as eth0, eth1, ...; empty: none is configured
};

// The first `max_networks` files in the order of their names (0: all) of *.conflist, *.conf and *.json;
// hidden ones are left out. Plugins of a list that stand in files of their own, <directory>/<name of the
// network>/*.conf, are added to its end. A directory that is missing has no files. A file that cannot be
// taken is an error that names it: the next one would give pods another network than the administrator meant.
Result<Configuration> load_configuration(const std::string& directory = kDefaultConfigurationDirectory,
                                         std::size_t max_networks = 1);

// "eth0": of the network at this place.
std::string interface_name(std::size_t index);

// Whether a file of this name would be read.
bool is_configuration_file(std::string_view name);

}  // namespace fermata::cni
