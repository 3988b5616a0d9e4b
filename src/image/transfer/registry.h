// Pulling an image over the distribution protocol.
#pragma once

#include "image/transfer.h"

namespace fermata::image {

Result<FetchedImage> pull_image(const oci::Reference& reference, const PullOptions& options,
                                const TransferContext& context);

}  // namespace fermata::image
