// The image configuration (image-spec, config.md), as far as the engine reads it. Foreign bytes: parse_*
// checks types, bounds and depth, and unknown fields are ignored.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::oci {

struct ImageConfig {
  std::string architecture;  // GOARCH: "amd64"
  std::string os;
  std::string variant;
  std::string created;  // RFC 3339, "" if absent
  std::string author;
  std::string comment;  // of the image, or else of its last step
  std::string user;
  std::vector<std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::vector<std::string> exposed_ports;  // "80/tcp"
  std::vector<std::string> volumes;        // paths
  std::string stop_signal;
  std::vector<std::string> diff_ids;  // "sha256:...", bottom first
};

Result<ImageConfig> parse_image_config(std::string_view json);
std::string serialize_image_config(const ImageConfig& config);
// This machine's GOARCH.
std::string host_architecture();

}  // namespace fermata::oci
