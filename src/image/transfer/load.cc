#include "image/transfer/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <set>

#include "base/clock.h"
#include "base/files.h"
#include "image/transfer/archive_layout.h"
#include "image/transfer/changes.h"
#include "image/transfer/digest.h"
#include "image/transfer/sources.h"
#include "oci/image_config.h"

namespace fermata::image {
namespace {

// The archive as a directory: unpacked into the work directory, contained like a layer, unless it is one
// already.
Result<UniqueFd> open_layout(const std::string& path, const TransferContext& context) {
  TRY(UniqueFd input, open_input(path));
  struct stat info = {};
  if (::fstat(input.get(), &info) != 0) return fail(errno, "stat '{}'", path);
  if (S_ISDIR(info.st_mode)) return input;
  TRY(const PlacedLayer archive,
      place_layer(read_from(input.get()), context, "archive", "", Whiteouts::keep));
  return open_file(archive.directory, O_RDONLY | O_DIRECTORY);
}

class Loader {
 public:
  Loader(int directory, const ProgressFn& progress, const TransferContext& context)
      : directory_(directory), progress_(progress), context_(context) {}

  Result<FetchedImage> load(const ArchivedImage& archived) {
    FetchedImage image;
    image.config_json = archived.config_json;
    image.id = sha256_of(archived.config_json);
    image.manifest_digest = archived.manifest_digest;
    for (const std::string& name : archived.names) {
      TRY(const auto reference, oci::parse_reference(name));
      image.names.push_back(reference.canonical());
    }
    TRY(const auto config, oci::parse_image_config(archived.config_json));
    if (config.diff_ids.size() != archived.layers.size())
      return fail(ErrorKind::invalid_argument,
                  "damaged image archive: {} layers, but {} in the image's configuration",
                  archived.layers.size(), config.diff_ids.size());
    std::string chain;
    for (std::size_t i = 0; i < archived.layers.size(); ++i) {
      chain = chain_id(chain, config.diff_ids[i]);
      TRY(auto layer, load_layer(archived.layers[i], chain, config.diff_ids[i]));
      image.layers.push_back(std::move(layer));
    }
    return image;
  }

 private:
  Result<FetchedLayer> load_layer(const std::string& path, const std::string& chain,
                                  const std::string& diff_id) {
    FetchedLayer layer;
    layer.chain = chain;
    // Two images of one archive may share it.
    if (context_.have_layer(chain) || placed_.contains(chain)) return layer;
    const std::string shown = diff_id.substr(diff_id.find(':') + 1, 12);
    if (progress_) progress_({shown, "Extracting"});
    TRY(const UniqueFd file, open_archived(directory_, path));
    TRY(auto placed, place_layer(read_from(file.get()), context_, std::to_string(placed_.size()), diff_id,
                                 Whiteouts::convert));
    if (progress_) progress_({shown, "Loaded"});
    placed_.insert(chain);
    layer.directory = std::move(placed.directory);
    layer.size = placed.layer.size;
    return layer;
  }

  int directory_;
  const ProgressFn& progress_;
  const TransferContext& context_;
  std::set<std::string> placed_;
};

}  // namespace

Result<std::vector<FetchedImage>> load_images(const std::string& path, const ProgressFn& progress,
                                              const TransferContext& context) {
  TRY(const UniqueFd directory, open_layout(path, context));
  TRY(const auto archived, read_layout(directory.get(), oci::host_architecture()));
  if (archived.empty()) return fail(ErrorKind::invalid_argument, "the image archive holds no image");
  Loader loader(directory.get(), progress, context);
  std::vector<FetchedImage> images;
  for (const ArchivedImage& each : archived) {
    TRY(auto image, loader.load(each));
    images.push_back(std::move(image));
  }
  return images;
}

Result<FetchedImage> import_root(const std::string& path, const ImportOptions& options,
                                 const TransferContext& context) {
  oci::ImageConfig config;
  config.architecture = oci::host_architecture();
  config.os = "linux";
  config.created = rfc3339(now_ns());
  config.comment = options.message;
  for (const std::string& change : options.changes)
    TRY(apply_change(config, change));  // before the slow part
  TRY(const UniqueFd input, open_input(path));
  struct stat info = {};
  if (::fstat(input.get(), &info) == 0 && S_ISDIR(info.st_mode))
    return fail(ErrorKind::invalid_argument,
                "'{}' is a directory; import wants a tar archive: tar -C '{}' -c . | fermata import -", path,
                path);
  if (options.progress) options.progress({"", "Extracting"});
  TRY(auto placed, place_layer(read_from(input.get()), context, "0", "", Whiteouts::keep));
  config.diff_ids = {placed.layer.diff_id};
  FetchedImage image;
  image.config_json = oci::serialize_image_config(config);
  image.id = sha256_of(image.config_json);
  FetchedLayer layer;
  layer.chain = placed.layer.diff_id;
  layer.size = placed.layer.size;
  if (!context.have_layer(layer.chain)) layer.directory = std::move(placed.directory);
  image.layers.push_back(std::move(layer));
  if (!options.name.empty()) image.names.push_back(options.name);
  return image;
}

}  // namespace fermata::image
