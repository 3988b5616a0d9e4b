#include "pod/device_edits.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "cdi/names.h"

namespace fermata::pod {
namespace {

constexpr std::string_view kAnnotationPrefix = "cdi.k8s.io/";

void apply(cdi::Edits edits, ContainerConfig& config) {
  for (std::string& variable : std::exchange(edits.env, {})) config.env.push_back(std::move(variable));
  for (const std::uint32_t group : std::exchange(edits.additional_gids, {}))
    config.groups.push_back(std::to_string(group));
  std::erase_if(config.mounts, [&](const VolumeMount& mount) {
    return std::any_of(edits.mounts.begin(), edits.mounts.end(),
                       [&](const cdi::Mount& edit) { return edit.destination == mount.destination; });
  });
  config.edits.append(edits);
}

}  // namespace

Result<void> inject_cdi(ContainerConfig& config, std::vector<std::string> names, cdi::Registry& registry) {
  std::erase_if(config.devices, [&](const std::string& device) {
    const bool named = cdi::parse_device_name(device).has_value();
    if (named) names.push_back(device);
    return named;
  });
  if (names.empty()) return {};
  TRY(cdi::Edits edits, registry.resolve(names));
  apply(std::move(edits), config);
  return {};
}

Result<std::vector<std::string>> annotated_cdi_devices(
    const std::map<std::string, std::string>& annotations) {
  std::vector<std::string> names;
  for (const auto& [key, value] : annotations) {
    if (!key.starts_with(kAnnotationPrefix)) continue;
    for (const std::string_view name : split(value, ',')) {
      if (!cdi::parse_device_name(name))
        return fail(ErrorKind::invalid_argument,
                    "annotation '{}': '{}' is no CDI device such as vendor.com/class=device", key, name);
      names.emplace_back(name);
    }
  }
  return names;
}

}  // namespace fermata::pod
