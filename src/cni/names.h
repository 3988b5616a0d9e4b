// What the specification and the kernel allow as names. Pure.
#pragma once

#include <string_view>

namespace fermata::cni {

// Of a network, and of a container: letters, digits, '_', '.', '-', the first a letter or digit.
bool is_network_name(std::string_view text);
bool is_container_id(std::string_view text);
// A file name: not empty, no '/', no '\'.
bool is_plugin_type(std::string_view text);
// Of an interface: 1 to 15 bytes, no '/', ':' or space; dev_valid_name() of the kernel.
bool is_interface_name(std::string_view text);

}  // namespace fermata::cni
