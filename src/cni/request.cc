#include "cni/request.h"

#include "cni/json_text.h"
#include "cni/names.h"

namespace fermata::cni {
namespace {

constexpr std::string_view kReserved = "cni.dev/";

Json parse_own(const std::string& document) {
  return Json::parse(document, nullptr, /*allow_exceptions=*/false);
}

// Everything that the administrator wrote, but what the specification keeps for runtimes.
Json base_input(const NetworkConfiguration& network, const Version& version, const Plugin& plugin) {
  const Json written = parse_own(plugin.document);
  Json input = Json::object();
  for (const auto& [key, value] : written.items())
    if (!key.starts_with(kReserved) && key != "capabilities") input[key] = value;
  input["cniVersion"] = format_version(version);
  input["name"] = network.name;
  return input;
}

void put_runtime_config(Json& input, const Plugin& plugin, const std::string& capabilities) {
  const Json given = parse_own(capabilities);
  Json chosen = Json::object();
  for (const auto& [key, value] : given.items())
    if (plugin.capabilities.contains(key)) chosen[key] = value;
  if (!chosen.empty()) input["runtimeConfig"] = std::move(chosen);
}

// A chain's ADD hands results on since there are chains; DEL gets one since 0.4.
bool takes_previous(Command command, const Version& version) {
  return command == Command::add ? version >= kFirstWithChains : version >= kFirstWithCheck;
}

Request request_of(Command command, const Json& input, std::vector<std::string> variables) {
  variables.insert(variables.begin(), fmt::format("CNI_COMMAND={}", command_name(command)));
  return {.command = command, .input = to_text(input), .variables = std::move(variables)};
}

std::string arguments_text(const Attachment& attachment) {
  std::string text;
  for (const auto& [key, value] : attachment.arguments)
    text += fmt::format("{}{}={}", text.empty() ? "" : ";", key, value);
  return text;
}

}  // namespace

std::string_view command_name(Command command) {
  switch (command) {
    case Command::add:
      return "ADD";
    case Command::del:
      return "DEL";
    case Command::check:
      return "CHECK";
    case Command::gc:
      return "GC";
    case Command::status:
      return "STATUS";
    case Command::version:
      break;
  }
  return "VERSION";
}

Result<void> validate(const Attachment& attachment) {
  if (!is_container_id(attachment.pod))
    return fail(ErrorKind::invalid_argument, "'{}' cannot be the id of a pod for CNI", attachment.pod);
  if (!is_interface_name(attachment.interface))
    return fail(ErrorKind::invalid_argument, "'{}' cannot be the name of an interface", attachment.interface);
  // There is no way to quote either of the two separators.
  for (const auto& [key, value] : attachment.arguments)
    if (key.empty() || (key + value).find_first_of(std::string_view(";=\0", 3)) != std::string::npos)
      return fail(ErrorKind::invalid_argument, "'{}={}' cannot be an argument of CNI", key, value);
  TRY(oci::parse_bounded_json(attachment.capabilities, "capability arguments"));
  return {};
}

Request compose_request(Command command, const NetworkConfiguration& network, const Version& version,
                        const Plugin& plugin, const Attachment& attachment,
                        const std::optional<AddResult>& previous) {
  Json input = base_input(network, version, plugin);
  put_runtime_config(input, plugin, attachment.capabilities);
  if (previous && takes_previous(command, version))
    input["prevResult"] = parse_own(serialize_result(*previous, version));
  return request_of(command, input,
                    {"CNI_CONTAINERID=" + attachment.pod, "CNI_NETNS=" + attachment.network_namespace,
                     "CNI_IFNAME=" + attachment.interface, "CNI_ARGS=" + arguments_text(attachment)});
}

Request compose_gc_request(const NetworkConfiguration& network, const Version& version, const Plugin& plugin,
                           const std::vector<ValidAttachment>& valid) {
  Json list = Json::array();
  for (const ValidAttachment& one : valid)
    list.push_back({{"containerID", one.pod}, {"ifname", one.interface}});
  Json input = base_input(network, version, plugin);
  input["cni.dev/valid-attachments"] = list;
  // The name that the specification had for it at first, and that plugins of that time know.
  input["cni.dev/attachments"] = list;
  return request_of(Command::gc, input, {});
}

Request compose_status_request(const NetworkConfiguration& network, const Version& version,
                               const Plugin& plugin) {
  return request_of(Command::status, base_input(network, version, plugin), {});
}

Request compose_version_request() {
  // Plugins of 0.2 and before insist on the variables of ADD with every command.
  return request_of(Command::version, Json::object({{"cniVersion", format_version(kNewestVersion)}}),
                    {"CNI_CONTAINERID=none", "CNI_NETNS=none", "CNI_IFNAME=none"});
}

Result<std::vector<Version>> parse_supported_versions(std::string_view text) {
  TRY(const Json json, oci::parse_bounded_json(text, "reply to VERSION"));
  const Fields fields(json, "");
  std::vector<std::string> names;
  TRY(fields.require("supportedVersions"));
  TRY(fields.read("supportedVersions", names));
  std::vector<Version> versions;
  for (const std::string& name : names)
    if (const auto version = parse_version(name)) versions.push_back(*version);
  return versions;
}

}  // namespace fermata::cni
