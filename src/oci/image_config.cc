#include "oci/image_config.h"

#include <sys/utsname.h>

#include <nlohmann/json.hpp>

#include "oci/reference.h"

namespace fermata::oci {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kMaxBytes = 8u << 20;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxLayers = 500;  // overlayfs takes no more lower directories

tl::unexpected<Error> wrong(const char* key, const char* type) {
  return fail(ErrorKind::invalid_argument, "image configuration: '{}' is not {}", key, type);
}

// Absent and null are one: Go writes null for an empty slice.
const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<void> read(const Json& object, const char* key, std::string& out) {
  const Json* value = member(object, key);
  if (value == nullptr) return {};
  if (!value->is_string()) return wrong(key, "a string");
  out = value->get_ref<const std::string&>();
  return {};
}

Result<void> read(const Json& object, const char* key, std::vector<std::string>& out) {
  const Json* value = member(object, key);
  if (value == nullptr) return {};
  if (!value->is_array()) return wrong(key, "a list of strings");
  for (const Json& item : *value) {
    if (!item.is_string()) return wrong(key, "a list of strings");
    out.push_back(item.get_ref<const std::string&>());
  }
  return {};
}

// {"80/tcp": {}}: a set, as Go writes it.
Result<void> read_keys(const Json& object, const char* key, std::vector<std::string>& out) {
  const Json* value = member(object, key);
  if (value == nullptr) return {};
  if (!value->is_object()) return wrong(key, "an object");
  for (const auto& item : value->items()) out.push_back(item.key());
  return {};
}

Result<void> read_labels(const Json& object, std::map<std::string, std::string>& out) {
  const Json* value = member(object, "Labels");
  if (value == nullptr) return {};
  if (!value->is_object()) return wrong("Labels", "an object");
  for (const auto& item : value->items()) {
    if (!item.value().is_string()) return wrong("Labels", "an object of strings");
    out.emplace(item.key(), item.value().get<std::string>());
  }
  return {};
}

Result<void> read_process(const Json& config, ImageConfig& out) {
  if (!config.is_object()) return wrong("config", "an object");
  TRY(read(config, "User", out.user));
  TRY(read(config, "Env", out.env));
  TRY(read(config, "Entrypoint", out.entrypoint));
  TRY(read(config, "Cmd", out.cmd));
  TRY(read(config, "WorkingDir", out.working_dir));
  TRY(read(config, "StopSignal", out.stop_signal));
  TRY(read_keys(config, "ExposedPorts", out.exposed_ports));
  TRY(read_keys(config, "Volumes", out.volumes));
  return read_labels(config, out.labels);
}

Result<void> read_last_comment(const Json& object, std::string& out) {
  const Json* history = member(object, "history");
  if (history == nullptr || !history->is_array() || history->empty() || !history->back().is_object())
    return {};
  return read(history->back(), "comment", out);
}

Result<Json> parse_bounded(std::string_view text) {
  if (text.size() > kMaxBytes)
    return fail(ErrorKind::invalid_argument, "image configuration: larger than 8 MiB");
  bool deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) { return !(deep |= depth > kMaxDepth); };
  Json json = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (deep || json.is_discarded() || !json.is_object())
    return fail(ErrorKind::invalid_argument, "image configuration: not a JSON object");
  return json;
}

}  // namespace

Result<ImageConfig> parse_image_config(std::string_view text) {
  TRY(const Json json, parse_bounded(text));
  ImageConfig out;
  TRY(read(json, "architecture", out.architecture));
  TRY(read(json, "os", out.os));
  TRY(read(json, "variant", out.variant));
  TRY(read(json, "created", out.created));
  TRY(read(json, "author", out.author));
  TRY(read(json, "comment", out.comment));
  if (out.comment.empty()) TRY(read_last_comment(json, out.comment));
  if (const Json* config = member(json, "config")) TRY(read_process(*config, out));
  const Json* rootfs = member(json, "rootfs");
  if (rootfs == nullptr) return out;
  if (!rootfs->is_object()) return wrong("rootfs", "an object");
  TRY(read(*rootfs, "diff_ids", out.diff_ids));
  if (out.diff_ids.size() > kMaxLayers)
    return fail(ErrorKind::unsupported, "image configuration: {} layers; at most {} can be stacked",
                out.diff_ids.size(), kMaxLayers);
  for (const std::string& id : out.diff_ids)
    if (!is_digest(id)) return wrong("diff_ids", "a list of digests");
  return out;
}

std::string serialize_image_config(const ImageConfig& config) {
  Json process = Json::object();
  const auto text = [](Json& object, const char* key, const std::string& value) {
    if (!value.empty()) object[key] = value;
  };
  const auto list = [&](const char* key, const std::vector<std::string>& value) {
    if (!value.empty()) process[key] = value;
  };
  const auto keys = [&](const char* key, const std::vector<std::string>& value) {
    for (const std::string& item : value) process[key][item] = Json::object();
  };
  text(process, "User", config.user);
  list("Env", config.env);
  list("Entrypoint", config.entrypoint);
  list("Cmd", config.cmd);
  text(process, "WorkingDir", config.working_dir);
  text(process, "StopSignal", config.stop_signal);
  keys("ExposedPorts", config.exposed_ports);
  keys("Volumes", config.volumes);
  if (!config.labels.empty()) process["Labels"] = config.labels;
  Json json = {{"architecture", config.architecture},
               {"os", config.os},
               {"config", process},
               {"rootfs", {{"type", "layers"}, {"diff_ids", config.diff_ids}}}};
  text(json, "variant", config.variant);
  text(json, "created", config.created);
  text(json, "author", config.author);
  text(json, "comment", config.comment);
  // A name that is no UTF-8 is replaced rather than thrown at.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string host_architecture() {
  utsname name{};
  if (::uname(&name) != 0) return "";  // fails only for a bad pointer
  const std::string machine = name.machine;
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine.starts_with("arm")) return "arm";
  if (machine == "i686" || machine == "i386") return "386";
  if (machine == "loongarch64") return "loong64";
  return machine;  // riscv64, ppc64le, s390x are called so by both
}

}  // namespace fermata::oci
