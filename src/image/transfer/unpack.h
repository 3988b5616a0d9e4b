// One layer's tar stream into a directory, contained: whatever the archive says, nothing outside of the
// directory is read or written. Whiteouts become overlayfs's (image-spec, layer.md; kernel overlayfs.rst).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"

namespace fermata::image {

// Where bytes come from: fills the buffer, 0 at the end. Called from the unpacking thread.
using ByteSource = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

struct UnpackedLayer {
  std::string diff_id;     // digest of the uncompressed stream
  std::uint64_t size = 0;  // bytes of file content
};

enum class Whiteouts { convert, keep };  // keep: a root file system tar has none

// `source` may be gzip, zstd, or plain. The directory exists and is empty. A truncated or damaged stream is
// an error; the directory is then half filled and the caller removes it.
Result<UnpackedLayer> unpack_layer(const ByteSource& source, const std::string& directory,
                                   Whiteouts whiteouts);

}  // namespace fermata::image
