// `import --change`: the Dockerfile instructions that set an image's configuration. Pure.
#pragma once

#include <string_view>

#include "base/error.h"
#include "oci/image_config.h"

namespace fermata::image {

// CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR; others are refused by name.
Result<void> apply_change(oci::ImageConfig& config, std::string_view instruction);

}  // namespace fermata::image
