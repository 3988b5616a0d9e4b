// The JSON columns of the store. A field at its default value is left out, an unknown one is ignored, so that
// rows of an older and of a newer Fermata can be read.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "pod/rows.h"

namespace fermata::pod {

std::string to_json(const ContainerConfig& config);
std::string to_json(const ContainerRuntime& runtime);
std::string to_json(const PodConfig& config);
std::string to_json(const PodRuntime& runtime);

Result<ContainerConfig> container_config_from_json(std::string_view text);
Result<ContainerRuntime> container_runtime_from_json(std::string_view text);
Result<PodConfig> pod_config_from_json(std::string_view text);
Result<PodRuntime> pod_runtime_from_json(std::string_view text);

}  // namespace fermata::pod
