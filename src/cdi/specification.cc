#include "cdi/specification.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cdi/names.h"
#include "cdi/read_edits.h"
#include "cdi/yaml_document.h"

namespace fermata::cdi {
namespace {

using oci::Json;

constexpr std::string_view kWhat = "the specification";
constexpr std::size_t kMaxAnnotations = 256u << 10;  // bytes, as Kubernetes bounds its own
constexpr std::string_view kVersions[] = {"0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0",
                                          "0.6.0", "0.7.0", "0.8.0", "1.0.0", kNewestVersion};

Result<Version> read_version(const Fields& fields) {
  TRY(fields.require("cdiVersion"));
  std::string text;
  TRY(fields.read("cdiVersion", text));
  const std::string_view number = std::string_view(text).substr(text.starts_with('v') ? 1 : 0);
  const auto* const known = std::find(std::begin(kVersions), std::end(kVersions), number);
  if (known == std::end(kVersions))
    return fields.wrong("cdiVersion", "'{}' is no version of the specification known here, which are {}",
                        text, fmt::join(kVersions, ", "));
  const auto parts = split(*known, '.');
  return Version{static_cast<int>(*parse_unsigned(parts[0])), static_cast<int>(*parse_unsigned(parts[1]))};
}

Result<void> read_kind(const Fields& fields, const Version& version, std::string& out) {
  TRY(fields.require("kind"));
  TRY(fields.read("kind", out));
  const auto parts = split_once(out, '/');
  if (!parts || !is_vendor(parts->first) || !is_class(parts->second))
    return fields.wrong("kind", "'{}' is not of the form 'vendor.com/class'", out);
  if (parts->second.find('.') != std::string_view::npos)
    return require_version(fields, "kind", "a '.' in a class", version, {0, 6});
  return {};
}

// They are the vendor's own; checked, and not kept.
Result<void> check_annotations(const Fields& fields, const Version& version) {
  if (fields.find("annotations") == nullptr) return {};
  TRY(require_version(fields, "annotations", "the field", version, {0, 6}));
  std::map<std::string, std::string> annotations;
  TRY(fields.read("annotations", annotations));
  std::size_t size = 0;
  for (const auto& [key, value] : annotations) {
    if (key.empty()) return fields.wrong("annotations", "a key is empty");
    size += key.size() + value.size();
  }
  if (size > kMaxAnnotations) return fields.wrong("annotations", "larger than {} bytes", kMaxAnnotations);
  return {};
}

// YAML's 0 is a number, and yet a usual name of a device.
Result<std::string> read_device_name(const Fields& fields, const Version& version) {
  TRY(fields.require("name"));
  std::string name;
  if (std::uint64_t number = 0; oci::take(*fields.find("name"), number)) {
    name = std::to_string(number);
  } else {
    TRY(fields.read("name", name));
  }
  if (!is_device(name))
    return fields.wrong(
        "name", "'{}' must begin and end with a letter or digit, with those, '-', '_', '.' and ':' between",
        name);
  if (name.front() >= '0' && name.front() <= '9')
    TRY(require_version(fields, "name", "a digit as the first character", version, {0, 5}));
  return name;
}

Result<void> read_device(const Fields& fields, const Version& version, Specification& out) {
  TRY(fields.allow_only({"name", "annotations", "containerEdits"}));
  TRY(const std::string name, read_device_name(fields, version));
  TRY(check_annotations(fields, version));
  TRY(const Edits edits, read_edits(fields, version));
  if (edits.empty()) return fields.wrong("containerEdits", "empty: the device '{}' would do nothing", name);
  if (!out.devices.emplace(name, edits).second)
    return fields.wrong("name", "'{}' is the name of an earlier device, too", name);
  return {};
}

Result<Specification> read_document(const Json& json) {
  const Fields fields(json, "");
  TRY(const Version version, read_version(fields));
  TRY(fields.allow_only({"cdiVersion", "kind", "annotations", "devices", "containerEdits"}));
  Specification out;
  TRY(read_kind(fields, version, out.kind));
  TRY(check_annotations(fields, version));
  TRY(out.edits, read_edits(fields, version));
  const Json* const devices = fields.find("devices");
  if (devices == nullptr) return fields.wrong("devices", "missing");
  if (!devices->is_array() ||
      !std::all_of(devices->begin(), devices->end(), [](const Json& device) { return device.is_object(); }))
    return fields.wrong("devices", "not a list of objects");
  if (devices->empty()) return fields.wrong("devices", "empty");
  for (std::size_t i = 0; i < devices->size(); ++i)
    TRY(read_device(Fields((*devices)[i], fmt::format("devices[{}]", i)), version, out));
  return out;
}

}  // namespace

Result<Specification> parse_specification(std::string_view text, Format format) {
  TRY(const Json json,
      format == Format::json ? oci::parse_bounded_json(text, kWhat) : parse_bounded_yaml(text, kWhat));
  return read_document(json);
}

}  // namespace fermata::cdi
