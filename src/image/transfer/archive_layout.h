// What an image archive holds: docker's (manifest.json) or an OCI layout (index.json), as a directory. Every
// name in it is foreign and resolved inside the directory.
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::image {

struct ArchivedImage {
  std::string config_json;
  std::string manifest_digest;      // "" in docker's form
  std::vector<std::string> layers;  // files below the directory, bottom first
  std::vector<std::string> names;   // as written; not yet canonical
};

// `architecture`: GOARCH, for an index of several platforms. "not an image archive" when it is neither.
Result<std::vector<ArchivedImage>> read_layout(int directory, const std::string& architecture);
// A regular file below the directory.
Result<UniqueFd> open_archived(int directory, const std::string& path);

}  // namespace fermata::image
