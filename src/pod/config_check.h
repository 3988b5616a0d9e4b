// What is wrong with a configuration, as far as it can be told without looking at the machine's state. Pure;
// docker's words where docker has some.
#pragma once

#include <string_view>

#include "base/error.h"
#include "pod/model.h"

namespace fermata::pod {

Result<void> check_config(const ContainerConfig& config);
// [a-zA-Z0-9][a-zA-Z0-9_.-]+
bool is_valid_name(std::string_view name);

}  // namespace fermata::pod
