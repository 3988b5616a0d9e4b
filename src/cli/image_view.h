// Images as `images` and `inspect` show them.
#pragma once

#include <optional>
#include <vector>

#include "cli/value.h"
#include "image/images.h"

namespace fermata::cli {

struct ImageListOptions {
  bool all = false;  // also those without a name
  bool digests = false;
  bool truncate = true;
  std::string pattern;                                       // REPOSITORY[:TAG], with * and ?
  std::vector<std::pair<std::string, std::string>> filters;  // dangling, label, reference, before, since
};

// One row per name. An unknown filter is an error.
Result<std::vector<Value>> image_rows(const std::vector<image::Image>& images,
                                      const ImageListOptions& options, std::int64_t now);
// Docker's structure.
Value inspect_image(const image::Image& image);

}  // namespace fermata::cli
