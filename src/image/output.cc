#include "image/output.h"

#include "image/transfer.h"

namespace fermata::image {

Result<ImageOutput> parse_image_output(std::string_view text) {
  constexpr struct {
    std::string_view prefix;
    ImageOutput::Form form;
  } kForms[] = {{"oci:", ImageOutput::Form::oci_directory},
                {"oci-archive:", ImageOutput::Form::oci_archive},
                {"docker-archive:", ImageOutput::Form::docker_archive}};
  for (const auto& [prefix, form] : kForms) {
    if (!text.starts_with(prefix)) continue;
    ImageOutput output{.form = form, .path = std::string(text.substr(prefix.size()))};
    if (output.path.empty())
      return fail(ErrorKind::invalid_argument, "'{}' names no file or directory", text);
    if (output.path == "-" && form == ImageOutput::Form::oci_directory)
      return fail(ErrorKind::invalid_argument,
                  "'{}': a directory cannot go to standard output: use oci-archive:-", text);
    return output;
  }
  return fail(ErrorKind::invalid_argument,
              "invalid output '{}': expected oci:DIR, oci-archive:FILE or docker-archive:FILE", text);
}

Result<void> write_image(const std::vector<OutputPlatform>& platforms, const std::vector<std::string>& names,
                         const ImageOutput& output) {
  TRY(Transfer * transfer, load_transfer());
  return transfer->write(platforms, names, output);
}

}  // namespace fermata::image
