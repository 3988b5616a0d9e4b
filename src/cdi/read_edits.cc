#include "cdi/read_edits.h"

#include <algorithm>
#include <limits>

namespace fermata::cdi {
namespace {

using oci::Json;

constexpr Version kMountType{0, 4}, kHostPath{0, 5}, kGroupsAndRdt{0, 7}, kNetworkDevices{1, 1};
constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ without its NUL; netdevice(7)
constexpr std::uint32_t kModeBits = 07777;     // the others say the type, as in stat(2)

Result<void> require_since(const Fields& fields, const char* key, const Version& version,
                           const Version& since) {
  if (fields.find(key) == nullptr) return {};
  return require_version(fields, key, "the field", version, since);
}

// A list of objects, each read by read_item(Fields).
template <class Read>
Result<void> read_each(const Fields& fields, const char* key, const Read& read_item) {
  const Json* const list = fields.find(key);
  if (list == nullptr) return {};
  if (!list->is_array()) return fields.wrong(key, "not a list of objects");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string place = fmt::format("{}[{}]", fields.place(key), i);
    if (!(*list)[i].is_object()) return fail(ErrorKind::invalid_argument, "{}: not an object", place);
    TRY(read_item(Fields((*list)[i], place)));
  }
  return {};
}

Result<void> read_path(const Fields& fields, const char* key, std::string& out) {
  TRY(fields.require(key));
  return fields.read_absolute(key, out);
}

Result<void> read_environment(const Fields& fields, std::vector<std::string>& out) {
  TRY(fields.read("env", out));
  for (const std::string& variable : out)
    if (variable.find('=') == 0 || variable.find('=') == std::string::npos)
      return fields.wrong("env", "'{}' is not of the form 'NAME=value'", variable);
  return {};
}

Result<void> read_access(const Fields& fields, std::string& out) {
  std::string text;
  TRY(fields.read("permissions", text));
  if (text.find_first_not_of("rwm") != std::string::npos && text != "none")
    return fields.wrong("permissions", "'{}' is neither of the letters 'rwm' nor 'none'", text);
  if (!text.empty()) out = text == "none" ? "" : text;
  return {};
}

Result<DeviceNode> read_device_node(const Fields& fields, const Version& version) {
  TRY(fields.allow_only(
      {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"}));
  DeviceNode node;
  TRY(read_path(fields, "path", node.path));
  TRY(require_since(fields, "hostPath", version, kHostPath));
  TRY(fields.read_absolute("hostPath", node.host_path));
  if (node.host_path.empty()) node.host_path = node.path;
  std::string type;
  TRY(fields.read_word("type", {"", "b", "c", "u", "p"}, type));
  if (!type.empty()) node.type = type[0];
  TRY(fields.read("major", node.major));
  TRY(fields.read("minor", node.minor));
  TRY(fields.read("fileMode", node.file_mode));
  if (node.file_mode) *node.file_mode &= kModeBits;
  TRY(fields.read("uid", node.uid));
  TRY(fields.read("gid", node.gid));
  TRY(read_access(fields, node.access));
  return node;
}

bool binds(const Mount& mount) {
  return mount.type == "bind" ||
         std::any_of(mount.options.begin(), mount.options.end(),
                     [](const std::string& option) { return option == "bind" || option == "rbind"; });
}

Result<Mount> read_mount(const Fields& fields, const Version& version) {
  TRY(fields.allow_only({"hostPath", "containerPath", "type", "options"}));
  Mount mount;
  TRY(fields.require("hostPath"));
  TRY(fields.read("hostPath", mount.source));
  TRY(read_path(fields, "containerPath", mount.destination));
  TRY(require_since(fields, "type", version, kMountType));
  TRY(fields.read("type", mount.type));
  TRY(fields.read("options", mount.options));
  // Before there were types, there were bind mounts alone.
  if (!binds(mount) && (mount.type.empty() || mount.type == "none")) mount.options.emplace_back("bind");
  if (mount.source.empty()) return fields.wrong("hostPath", "empty");
  if (binds(mount) && !mount.source.starts_with('/'))
    return fields.wrong("hostPath", "'{}' is not an absolute path", mount.source);
  return mount;
}

std::vector<oci::Hook>* list_of(oci::Hooks& hooks, std::string_view name) {
  const std::pair<std::string_view, std::vector<oci::Hook>*> lists[] = {
      {"prestart", &hooks.prestart},
      {"createRuntime", &hooks.create_runtime},
      {"createContainer", &hooks.create_container},
      {"startContainer", &hooks.start_container},
      {"poststart", &hooks.poststart},
      {"poststop", &hooks.poststop}};
  for (const auto& [known, list] : lists)
    if (known == name) return list;
  return nullptr;
}

Result<void> read_hook(const Fields& fields, oci::Hooks& out) {
  TRY(fields.allow_only({"hookName", "path", "args", "env", "timeout"}));
  std::string name;
  TRY(fields.require("hookName"));
  TRY(fields.read_word(
      "hookName", {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
      name));
  oci::Hook hook;
  TRY(read_path(fields, "path", hook.path));
  TRY(fields.read("args", hook.args));
  TRY(read_environment(fields, hook.env));
  TRY(fields.read_between("timeout", 1, std::numeric_limits<int>::max(), hook.timeout));
  list_of(out, name)->push_back(std::move(hook));
  return {};
}

Result<void> read_intel_rdt(const Fields& fields, const Version& version, oci::IntelRdt& out) {
  TRY(fields.allow_only(
      {"closID", "l3CacheSchema", "memBwSchema", "schemata", "enableMonitoring", "enableCMT", "enableMBM"}));
  TRY(fields.read("closID", out.clos_id));
  // It names a directory of the kernel's; "/" is the one of everybody.
  const bool is_file_name = out.clos_id != "." && out.clos_id != ".." &&
                            out.clos_id.find_first_of("/\n") == std::string::npos &&
                            out.clos_id.size() < 4096;
  if (!is_file_name && out.clos_id != "/")
    return fields.wrong("closID", "'{}' is neither a file's name nor '/'", out.clos_id);
  TRY(fields.read("l3CacheSchema", out.l3_cache_schema));
  TRY(fields.read("memBwSchema", out.memory_bandwidth_schema));
  for (const char* key : {"schemata", "enableMonitoring"})
    TRY(require_since(fields, key, version, kNetworkDevices));
  TRY(fields.read("schemata", out.schemata));
  TRY(fields.read("enableMonitoring", out.enable_monitoring));
  // What these two were before version 1.1.
  for (const char* key : {"enableCMT", "enableMBM"}) {
    bool enabled = false;
    TRY(fields.read(key, enabled));
    if (fields.find(key) != nullptr && version >= kNetworkDevices)
      return fields.wrong(key, "removed in version 1.1.0: say enableMonitoring");
    out.enable_monitoring |= enabled;
  }
  return {};
}

Result<void> read_interface(const Fields& fields, const char* key, std::string& out) {
  TRY(fields.require(key));
  TRY(fields.read(key, out));
  if (out.empty() || out.size() > kMaxInterfaceName || out.find_first_of("/ \t\n") != std::string::npos)
    return fields.wrong(key, "'{}' is no name of a network interface", out);
  return {};
}

Result<void> read_network_device(const Fields& fields, std::map<std::string, std::string>& out) {
  TRY(fields.allow_only({"hostInterfaceName", "name"}));
  std::string outside, inside;
  TRY(read_interface(fields, "hostInterfaceName", outside));
  TRY(read_interface(fields, "name", inside));
  for (const auto& [other, name] : out)
    if (other == outside || name == inside)
      return fields.wrong(other == outside ? "hostInterfaceName" : "name",
                          "'{}' is that of an earlier one, too", other == outside ? outside : inside);
  out.emplace(outside, inside);
  return {};
}

Result<void> read_later_edits(const Fields& fields, const Version& version, Edits& out) {
  for (const char* key : {"additionalGids", "intelRdt"})
    TRY(require_since(fields, key, version, kGroupsAndRdt));
  TRY(fields.read("additionalGids", out.additional_gids));
  // "Values of 0 are ignored."
  std::erase(out.additional_gids, 0u);
  if (const Json* rdt = fields.find("intelRdt"); rdt != nullptr) {
    if (!rdt->is_object()) return fields.wrong("intelRdt", "not an object");
    TRY(read_intel_rdt(Fields(*rdt, fields.place("intelRdt")), version, out.intel_rdt.emplace()));
  }
  TRY(require_since(fields, "netDevices", version, kNetworkDevices));
  return read_each(fields, "netDevices",
                   [&](const Fields& device) { return read_network_device(device, out.network_devices); });
}

}  // namespace

Result<void> require_version(const Fields& fields, const char* key, std::string_view what,
                             const Version& version, const Version& since) {
  if (version >= since) return {};
  return fields.wrong(key, "{} is of version {}.{}.0, and cdiVersion is {}.{}.0", what, since.major,
                      since.minor, version.major, version.minor);
}

Result<Edits> read_edits(const Fields& outer, const Version& version) {
  Edits out;
  const Json* const json = outer.find("containerEdits");
  if (json == nullptr) return out;
  if (!json->is_object()) return outer.wrong("containerEdits", "not an object");
  const Fields fields(*json, outer.place("containerEdits"));
  TRY(fields.allow_only(
      {"env", "deviceNodes", "mounts", "hooks", "additionalGids", "intelRdt", "netDevices"}));
  TRY(read_environment(fields, out.env));
  TRY(read_each(fields, "deviceNodes", [&](const Fields& node) -> Result<void> {
    TRY(out.device_nodes.emplace_back(), read_device_node(node, version));
    return {};
  }));
  TRY(read_each(fields, "mounts", [&](const Fields& mount) -> Result<void> {
    TRY(out.mounts.emplace_back(), read_mount(mount, version));
    return {};
  }));
  TRY(read_each(fields, "hooks", [&](const Fields& hook) { return read_hook(hook, out.hooks); }));
  TRY(read_later_edits(fields, version, out));
  return out;
}

}  // namespace fermata::cdi
