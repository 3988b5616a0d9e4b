// Writing an image for other tools: an OCI layout (image-spec, image-layout.md) as a directory or a tar, or
// docker's archive. The same input gives the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "oci/image_config.h"

namespace fermata::image {

struct OutputFile {
  std::string path;  // relative; its parents must come before it
  std::uint32_t mode = 0644;
  std::string bytes;
};
// One platform of the image, with all its files in one layer that belongs to root. Held in memory: for small
// images.
struct OutputPlatform {
  oci::ImageConfig config;  // architecture, os and variant too; diff_ids are filled in
  std::vector<OutputFile> files;
};

struct ImageOutput {
  enum class Form { oci_directory, oci_archive, docker_archive } form = Form::oci_directory;
  std::string path;  // "-": standard output, of the archives alone
};
// "oci:DIR", "oci-archive:FILE", "docker-archive:FILE", as skopeo and podman call them.
Result<ImageOutput> parse_image_output(std::string_view text);

// `names`: canonical, at least one. docker's archive holds one platform. The target must not exist; it is
// there whole or not at all.
Result<void> write_image(const std::vector<OutputPlatform>& platforms, const std::vector<std::string>& names,
                         const ImageOutput& output);

}  // namespace fermata::image
