#include "pod/settings.h"

#include <cerrno>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "base/files.h"
#include "oci/reference.h"

namespace fermata::pod {
namespace {

tl::unexpected<Error> wrong(const std::string& path, const toml::source_region& where,
                            std::string_view what) {
  return fail(ErrorKind::invalid_argument, "{}:{}: {}", path, where.begin.line, what);
}

Result<void> read_infra_image(const toml::node& value, const std::string& path, Settings& settings) {
  const auto image = value.value_exact<std::string>();
  if (!image) return wrong(path, value.source(), "infra_image is not a string");
  if (image->empty()) return {};
  if (const auto reference = oci::parse_reference(*image); !reference)
    return wrong(path, value.source(), "infra_image: " + reference.error().message());
  settings.infra_image = *image;
  return {};
}

Result<void> read_cgroup_manager(const toml::node& value, const std::string& path, Settings& settings) {
  const auto name = value.value_exact<std::string>();
  const auto manager = name ? parse_cgroup_manager(*name) : std::nullopt;
  if (!manager) return wrong(path, value.source(), "cgroup_manager is neither \"cgroupfs\" nor \"systemd\"");
  settings.cgroup_manager = *manager;
  return {};
}

Result<void> read_directories(const toml::node& value, const std::string& path, Settings& settings) {
  const toml::array* const list = value.as_array();
  if (list == nullptr) return wrong(path, value.source(), "cdi_spec_dirs is not a list of directories");
  settings.cdi_spec_dirs.clear();
  for (const toml::node& item : *list) {
    const auto directory = item.value_exact<std::string>();
    if (!directory || !directory->starts_with('/'))
      return wrong(path, item.source(), "cdi_spec_dirs: not the absolute path of a directory");
    settings.cdi_spec_dirs.push_back(*directory);
  }
  return {};
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

Result<Settings> parse_settings(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return wrong(path, parsed.error().source(), parsed.error().description());
  Settings settings;
  for (const auto& [key, value] : parsed.table()) {
    if (key == "infra_image") {
      TRY(read_infra_image(value, path, settings));
    } else if (key == "cgroup_manager") {
      TRY(read_cgroup_manager(value, path, settings));
    } else if (key == "cdi_spec_dirs") {
      TRY(read_directories(value, path, settings));
    } else {
      return wrong(
          path, key.source(),
          fmt::format("unknown setting '{}': there are cdi_spec_dirs, cgroup_manager and infra_image",
                      key.str()));
    }
  }
  return settings;
}

Result<Settings> read_settings(const std::string& path, bool required) {
  const auto text = read_file(path, 1u << 20);
  if (text) return parse_settings(*text, path);
  if (!required && text.error().error_number() == ENOENT) return Settings();
  return tl::unexpected(text.error());
}

}  // namespace fermata::pod
