#include "cni/configuration_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/files.h"

namespace fermata::cni {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;

// Their paths, sorted. A directory that is missing has none.
Result<std::vector<std::string>> list_files(const std::string& directory, bool (*wanted)(std::string_view)) {
  std::vector<std::string> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code unknown;  // of a link to nowhere: no directory, and reading it tells
    if (wanted(name) && !entry->is_directory(unknown)) files.push_back(entry->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(error.value(), "read directory '{}'", directory);
  std::sort(files.begin(), files.end());
  return files;
}

bool is_plugin_file(std::string_view name) { return !name.starts_with('.') && name.ends_with(".conf"); }

// With the file's name in every error.
template <class Parse>
auto parse_file(const std::string& path, Parse parse) -> decltype(parse(std::string_view())) {
  TRY(const std::string text, read_file(path, kMaxFile));
  auto parsed = parse(text);
  if (!parsed) return fail_with(std::move(parsed.error()), fmt::format("'{}'", path));
  return parsed;
}

Result<void> add_plugins_beside(const std::string& directory, NetworkConfiguration& network) {
  TRY(const auto files, list_files(directory + "/" + network.name, is_plugin_file));
  for (const std::string& path : files) {
    TRY(network.plugins.emplace_back(), parse_file(path, parse_plugin));
  }
  return {};
}

Result<NetworkConfiguration> load_network(const std::string& directory, const std::string& path) {
  const bool is_list = path.ends_with(".conflist");
  TRY(NetworkConfiguration network, parse_file(path, is_list ? parse_network_list : parse_network_of_one));
  network.file = path;
  if (!network.load_only_inlined) TRY(add_plugins_beside(directory, network));
  if (network.plugins.empty())
    return fail(ErrorKind::invalid_argument, "'{}': plugins: missing, and there are none in '{}/{}'", path,
                directory, network.name);
  return network;
}

}  // namespace

bool is_configuration_file(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".conflist") || name.ends_with(".conf") || name.ends_with(".json"));
}

std::string interface_name(std::size_t index) { return fmt::format("eth{}", index); }

Result<Configuration> load_configuration(const std::string& directory, std::size_t max_networks) {
  TRY(const auto files, list_files(directory, is_configuration_file));
  Configuration configuration;
  auto& networks = configuration.networks;
  for (const std::string& path : files) {
    if (max_networks != 0 && networks.size() == max_networks) break;
    TRY(NetworkConfiguration network, load_network(directory, path));
    for (const NetworkConfiguration& other : networks)
      if (other.name == network.name)
        return fail(ErrorKind::conflict, "'{}': name: '{}' has the network of '{}', too", path, network.name,
                    other.file);
    networks.push_back(std::move(network));
  }
  return configuration;
}

}  // namespace fermata::cni
