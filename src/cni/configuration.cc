#include "cni/configuration.h"

#include <algorithm>

#include "cni/json_text.h"
#include "cni/names.h"

namespace fermata::cni {
namespace {

constexpr std::string_view kWhat = "network configuration";

// true, false, and the same as strings, which the established libraries take and so stand in files.
Result<void> read_switch(const Fields& fields, const char* key, bool& out) {
  const Json* value = fields.find(key);
  if (value == nullptr || !value->is_string()) return fields.read(key, out);
  std::string text;
  TRY(fields.read_word(key, {"true", "false", "True", "False", "TRUE", "FALSE"}, text));
  out = text.front() == 't' || text.front() == 'T';
  return {};
}

Result<void> read_name(const Fields& fields, std::string& out) {
  TRY(fields.require("name"));
  TRY(fields.read("name", out));
  if (!is_network_name(out))
    return fields.wrong(
        "name", "'{}' must begin with a letter or digit and continue with those, '_', '.' or '-'", out);
  return {};
}

Result<Version> read_version(const Fields& fields, const char* key, const std::string& text) {
  const auto version = parse_version(text);
  if (!version) return fields.wrong(key, "'{}' is not a version such as 1.0.0", text);
  return *version;
}

// "cniVersion" alone is from the first specification on, and was optional there; "cniVersions" came with 1.1.
// Those that are newer than this program are for newer ones.
Result<void> read_versions(const Fields& fields, std::vector<Version>& out) {
  std::string single;
  std::vector<std::string> several;
  TRY(fields.read("cniVersion", single));
  TRY(fields.read("cniVersions", several));
  for (const std::string& text : several) {
    TRY(out.emplace_back(), read_version(fields, "cniVersions", text));
  }
  if (!single.empty()) {
    TRY(out.emplace_back(), read_version(fields, "cniVersion", single));
  }
  if (out.empty()) out.push_back(kFirstVersion);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  const Version oldest = out.front();
  std::erase_if(out, [](const Version& version) { return version > kNewestVersion; });
  if (out.empty())
    return fields.wrong("cniVersion", "{} is newer than the newest known, {}", format_version(oldest),
                        format_version(kNewestVersion));
  return {};
}

Result<Plugin> read_plugin(const Json& json, const Fields& fields) {
  Plugin plugin;
  TRY(fields.require("type"));
  TRY(fields.read("type", plugin.type));
  if (!is_plugin_type(plugin.type))
    return fields.wrong("type", "'{}' is not the name of a program", plugin.type);
  std::map<std::string, bool> capabilities;
  TRY(fields.read("capabilities", capabilities));
  for (const auto& [name, on] : capabilities)
    if (on) plugin.capabilities.insert(name);
  plugin.document = to_text(json);
  return plugin;
}

Result<void> read_plugins(const Fields& fields, std::vector<Plugin>& out) {
  const Json* list = fields.find("plugins");
  if (list == nullptr) return {};
  if (!list->is_array() || list->empty()) return fields.wrong("plugins", "not a list of one or more objects");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& item = (*list)[i];
    const std::string place = fmt::format("plugins[{}]", i);
    if (!item.is_object()) return fields.wrong(place, "not an object");
    TRY(out.emplace_back(), read_plugin(item, Fields(item, place)));
  }
  return {};
}

}  // namespace

Result<NetworkConfiguration> parse_network_list(std::string_view text) {
  TRY(const Json json, oci::parse_bounded_json(text, kWhat));
  const Fields fields(json, "");
  NetworkConfiguration network;
  TRY(read_name(fields, network.name));
  TRY(read_versions(fields, network.versions));
  TRY(read_switch(fields, "disableCheck", network.disable_check));
  TRY(read_switch(fields, "disableGC", network.disable_gc));
  TRY(read_switch(fields, "loadOnlyInlinedPlugins", network.load_only_inlined));
  TRY(read_plugins(fields, network.plugins));
  if (network.plugins.empty() && network.load_only_inlined)
    return fields.wrong("plugins", "missing, though loadOnlyInlinedPlugins rules out any others");
  return network;
}

Result<NetworkConfiguration> parse_network_of_one(std::string_view text) {
  TRY(const Json json, oci::parse_bounded_json(text, kWhat));
  const Fields fields(json, "");
  if (fields.find("type") == nullptr && fields.find("plugins") != nullptr)
    return fields.wrong("plugins", "this is a list; give its file a name that ends in .conflist");
  NetworkConfiguration network;
  TRY(read_name(fields, network.name));
  TRY(read_versions(fields, network.versions));
  TRY(network.plugins.emplace_back(), read_plugin(json, fields));
  network.load_only_inlined = true;
  return network;
}

Result<Plugin> parse_plugin(std::string_view text) {
  TRY(const Json json, oci::parse_bounded_json(text, "plugin configuration"));
  return read_plugin(json, Fields(json, ""));
}

std::string serialize_network(const NetworkConfiguration& network, const Version& version) {
  Json json = {{"cniVersion", format_version(version)},
               {"name", network.name},
               {"disableCheck", network.disable_check},
               {"disableGC", network.disable_gc},
               {"plugins", Json::array()}};
  // Without plugins it could not be read again with this.
  if (!network.plugins.empty()) json["loadOnlyInlinedPlugins"] = true;
  if (network.plugins.empty()) json.erase("plugins");
  for (const Plugin& plugin : network.plugins)
    json["plugins"].push_back(Json::parse(plugin.document, nullptr, /*allow_exceptions=*/false));
  return to_text(json);
}

}  // namespace fermata::cni
