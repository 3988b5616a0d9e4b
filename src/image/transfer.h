// What image/ asks of the module fermata-transfer.so: registries, archives, unpacking. The module touches
// neither the database nor layers/: it unpacks into a work directory and image/ makes the result visible.
// Both sides come from one build.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "image/images.h"
#include "image/output.h"

namespace fermata::image {

struct FetchedLayer {
  std::string chain;       // chain id, "sha256:..."
  std::string directory;   // unpacked, below the work directory; "" when the store had it already
  std::uint64_t size = 0;  // bytes unpacked
};
struct FetchedImage {
  std::string config_json;
  std::string id;               // digest of config_json
  std::string manifest_digest;  // "" from an archive without one
  std::string repo_digest;      // what the name resolved to (an index or the manifest), "" from an archive
  std::vector<FetchedLayer> layers;  // bottom first
  std::vector<std::string> names;    // canonical, of an archive
};
// The caller's side of one transfer. Called from the transferring thread only.
struct TransferContext {
  std::string work_directory;  // ours alone, removed by the caller afterwards
  std::function<bool(const std::string& chain)> have_layer;
  // The configuration of an image that the store has whole.
  std::function<std::optional<std::string>(const std::string& id)> stored_config;
};

class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual Result<FetchedImage> pull(const oci::Reference& reference, const PullOptions& options,
                                    const TransferContext& context) = 0;
  virtual Result<std::vector<FetchedImage>> load(const std::string& path, const ProgressFn& progress,
                                                 const TransferContext& context) = 0;
  virtual Result<FetchedImage> import_tar(const std::string& path, const ImportOptions& options,
                                          const TransferContext& context) = 0;
  virtual Result<void> write(const std::vector<OutputPlatform>& platforms,
                             const std::vector<std::string>& names, const ImageOutput& output) = 0;
};

using TransferFactory = Transfer*();
inline constexpr const char* kTransferFactory = "fermata_transfer_create";
inline constexpr const char* kTransferModule = "fermata-transfer.so";

// Loads fermata-transfer.so from beside the running program, once.
Result<Transfer*> load_transfer();

}  // namespace fermata::image
