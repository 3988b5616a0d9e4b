// `load` and `import`: images from archives.
#pragma once

#include "image/transfer.h"

namespace fermata::image {

Result<std::vector<FetchedImage>> load_images(const std::string& path, const ProgressFn& progress,
                                              const TransferContext& context);
Result<FetchedImage> import_root(const std::string& path, const ImportOptions& options,
                                 const TransferContext& context);

}  // namespace fermata::image
