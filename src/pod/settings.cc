#include "pod/settings.h"

#include "base/toml_reader.h"
#include "oci/reference.h"

namespace fermata::pod {
namespace {

Result<void> read_file_table(TomlReader& reader, Settings& settings) {
  TRY(reader.checked("infra_image", settings.infra_image, check_infra_image));
  TRY(read_cgroup_manager(reader, settings.cgroup_manager));
  return reader.checked("cdi_spec_dirs", settings.cdi_spec_dirs, check_absolute);
}

}  // namespace

const char* to_string(CgroupManager manager) {
  return manager == CgroupManager::systemd ? "systemd" : "cgroupfs";
}

std::optional<CgroupManager> parse_cgroup_manager(std::string_view name) {
  for (const auto manager : {CgroupManager::cgroupfs, CgroupManager::systemd})
    if (name == to_string(manager)) return manager;
  return std::nullopt;
}

Result<void> read_cgroup_manager(TomlReader& reader, CgroupManager& manager) {
  return reader.word("cgroup_manager", "\"cgroupfs\", \"systemd\"", [&](std::string_view name) {
    const auto known = parse_cgroup_manager(name);
    manager = known.value_or(manager);
    return known.has_value();
  });
}

Result<void> check_infra_image(const std::string& image) {
  if (image.empty()) return {};
  TRY(oci::parse_reference(image));
  return {};
}

Result<Settings> parse_settings(std::string_view text, const std::string& path) {
  Settings settings;
  TRY(parse_toml(text, path, [&](TomlReader& reader) { return read_file_table(reader, settings); }));
  return settings;
}

Result<Settings> read_settings(const std::string& path, bool required) {
  TRY(const std::string text, read_toml_file(path, required));
  return parse_settings(text, path);
}

}  // namespace fermata::pod
