// How a plugin says that it has failed: CNI specification 1.1, "Error". Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::cni {

// Codes that somebody decides on.
inline constexpr std::uint32_t kUnknownContainer = 3;  // there is nothing to clean up
inline constexpr std::uint32_t kTryAgainLater = 11;
inline constexpr std::uint32_t kNotAvailable = 50;
inline constexpr std::uint32_t kLimitedConnectivity = 51;

struct PluginError {
  std::uint32_t code = 0;  // 0: it told none
  std::string message;
};

// `end`: "exit status 1". A plugin that has left no error on its standard output is taken by what it said on
// the other one.
PluginError parse_plugin_error(std::string_view output, std::string_view errors, std::string_view end);

// "plugin 'bridge' (ADD): no addresses left [code 11]"
Error to_error(const PluginError& error, std::string_view plugin, std::string_view command);

}  // namespace fermata::cni
