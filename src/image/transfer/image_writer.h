// The bytes of an image and their places in an OCI layout or docker's archive.
#pragma once

#include <string>
#include <vector>

#include "image/output.h"

namespace fermata::image {

// Files of a layout, by path, in the order in which they are written. Pure.
Result<std::vector<OutputFile>> plan_image_files(const std::vector<OutputPlatform>& platforms,
                                                 const std::vector<std::string>& names,
                                                 ImageOutput::Form form);
Result<void> write_image_files(const std::vector<OutputPlatform>& platforms,
                               const std::vector<std::string>& names, const ImageOutput& output);

}  // namespace fermata::image
