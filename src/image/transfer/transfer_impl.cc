#include "image/transfer/transfer_impl.h"

#include "image/transfer/image_writer.h"
#include "image/transfer/load.h"
#include "image/transfer/registry.h"

namespace fermata::image {
namespace {

class TransferModule final : public Transfer {
 public:
  Result<FetchedImage> pull(const oci::Reference& reference, const PullOptions& options,
                            const TransferContext& context) override {
    return pull_image(reference, options, context);
  }
  Result<std::vector<FetchedImage>> load(const std::string& path, const ProgressFn& progress,
                                         const TransferContext& context) override {
    return load_images(path, progress, context);
  }
  Result<FetchedImage> import_tar(const std::string& path, const ImportOptions& options,
                                  const TransferContext& context) override {
    return import_root(path, options, context);
  }
  Result<void> write(const std::vector<OutputPlatform>& platforms, const std::vector<std::string>& names,
                     const ImageOutput& output) override {
    return write_image_files(platforms, names, output);
  }
};

}  // namespace

std::unique_ptr<Transfer> make_transfer() { return std::make_unique<TransferModule>(); }

}  // namespace fermata::image
