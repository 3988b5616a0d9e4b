// Sources of bytes for unpack_layer, and the steps that pull, load and import share.
#pragma once

#include <string>

#include "base/core/unique_fd.h"
#include "image/transfer.h"
#include "image/transfer/unpack.h"

namespace fermata::image {

// From a descriptor, to its end. Borrowed.
ByteSource read_from(int fd);
// `path`, or standard input for "".
Result<UniqueFd> open_input(const std::string& path);
// Makes the directory `<context.work_directory>/<name>` and unpacks the layer into it. A DiffID other than
// `expected` ("" any) is an error that names both.
struct PlacedLayer {
  UnpackedLayer layer;
  std::string directory;
};
Result<PlacedLayer> place_layer(const ByteSource& source, const TransferContext& context,
                                const std::string& name, const std::string& expected, Whiteouts whiteouts);

}  // namespace fermata::image
