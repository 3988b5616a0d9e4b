#include "oci/runtime_document.h"

#include <algorithm>
#include <cctype>

#include "oci/runtime_document_parts.h"

namespace fermata::oci {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && (text == "0" || text[0] != '0') &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Dot-separated identifiers, as they follow "-" and "+" in a semantic version.
bool are_identifiers(std::string_view text) {
  bool empty = true;
  for (const unsigned char c : text) {
    if (c == '.' ? empty : std::isalnum(c) == 0 && c != '-') return false;
    empty = c == '.';
  }
  return !empty;
}

// A semantic version (semver.org 2.0.0) of the first major. The minor may be one that is not known yet: the
// specification promises that such documents stay readable.
bool is_version_1(std::string_view text) {
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    if (!are_identifiers(text.substr(plus + 1))) return false;
    text = text.substr(0, plus);
  }
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    if (!are_identifiers(text.substr(dash + 1))) return false;
    text = text.substr(0, dash);
  }
  const auto dot = text.rfind('.');
  return text.starts_with("1.") && dot != 1 && is_number(text.substr(2, dot - 2)) &&
         is_number(text.substr(dot + 1));
}

Result<void> read_version(const Fields& fields) {
  TRY(fields.require("ociVersion"));
  std::string version;
  TRY(fields.read("ociVersion", version));
  if (!is_version_1(version))
    return fields.wrong("ociVersion", "'{}' is not a version that starts with 1 ({} is the newest known)",
                        version, kRuntimeSpecVersion);
  return {};
}

Result<void> read_root(const Fields& fields, RuntimeSpec& out) {
  TRY(fields.require("path"));
  TRY(fields.read("path", out.root_path));
  if (out.root_path.empty()) return fields.wrong("path", "empty");
  return fields.read("readonly", out.root_readonly);
}

Result<void> read_mount(const Fields& fields, Mount& out) {
  TRY(fields.require("destination"));
  TRY(fields.read("destination", out.destination));
  if (out.destination.empty()) return fields.wrong("destination", "empty");
  // Version 1.0 let it be relative, and meant this.
  if (!out.destination.starts_with('/')) out.destination.insert(0, "/");
  TRY(fields.read("type", out.type));
  TRY(fields.read("source", out.source));
  TRY(fields.read("options", out.options));
  TRY(fields.read_objects("uidMappings", out.uid_mappings, read_id_mapping));
  return fields.read_objects("gidMappings", out.gid_mappings, read_id_mapping);
}

Result<void> read_hook(const Fields& fields, Hook& out) {
  TRY(fields.require("path"));
  TRY(fields.read_absolute("path", out.path));
  TRY(fields.read("args", out.args));
  TRY(fields.read("env", out.env));
  return fields.read_between("timeout", 1, std::numeric_limits<int>::max(), out.timeout);
}

Result<void> read_hooks(const Fields& fields, Hooks& out) {
  TRY(fields.read_objects("prestart", out.prestart, read_hook));
  TRY(fields.read_objects("createRuntime", out.create_runtime, read_hook));
  TRY(fields.read_objects("createContainer", out.create_container, read_hook));
  TRY(fields.read_objects("startContainer", out.start_container, read_hook));
  TRY(fields.read_objects("poststart", out.poststart, read_hook));
  return fields.read_objects("poststop", out.poststop, read_hook);
}

Result<void> read_document(const Fields& fields, RuntimeSpec& out) {
  TRY(read_version(fields));
  TRY(fields.read_object("process", out.process, read_process));
  TRY(fields.read_object("root", out, read_root));
  TRY(fields.read("hostname", out.hostname));
  TRY(fields.read("domainname", out.domainname));
  TRY(fields.read_objects("mounts", out.mounts, read_mount));
  TRY(fields.read_object("hooks", out.hooks, read_hooks));
  TRY(fields.read("annotations", out.annotations));
  if (out.annotations.contains("")) return fields.wrong("annotations", "a key is empty");
  return fields.read_object("linux", out, read_linux);
}

template <class T>
Result<T> parse(std::string_view text, std::string_view what, const char* path,
                Result<void> (*read)(const Fields&, T&)) {
  TRY(const Json json, parse_bounded_json(text, what));
  T out;
  TRY(read(Fields(json, path), out));
  return out;
}

}  // namespace

Result<void> read_id_mapping(const Fields& fields, IdMapping& out) {
  for (const char* key : {"containerID", "hostID", "size"}) TRY(fields.require(key));
  TRY(fields.read("containerID", out.container_id));
  TRY(fields.read("hostID", out.host_id));
  TRY(fields.read("size", out.size));
  if (out.size == 0) return fields.wrong("size", "maps nothing");
  return {};
}

Result<RuntimeSpec> parse_runtime_spec(std::string_view json) {
  return parse<RuntimeSpec>(json, "the runtime specification", "", read_document);
}

Result<Process> parse_process(std::string_view json) {
  return parse<Process>(json, "the process", "process", read_process);
}

Result<Resources> parse_resources(std::string_view json) {
  return parse<Resources>(json, "the resources", "resources", read_resources);
}

}  // namespace fermata::oci
