// libarchive behind two small classes: a decompressed byte stream, and the entries of a tar stream.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "image/transfer/digest.h"
#include "image/transfer/unpack.h"

namespace fermata::image {

struct ArchiveFree {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchivePtr = std::unique_ptr<archive, ArchiveFree>;

// The uncompressed bytes of a gzip, zstd, xz, bzip2 or plain stream, hashed as they pass. Its address must
// not change: libarchive calls back into it.
class Decompressor {
 public:
  explicit Decompressor(const ByteSource& source) : source_(source) {}
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  Result<void> open();
  // 0 at the end.
  Result<std::size_t> read(char* buffer, std::size_t size);
  // Reads to the end and gives the digest of everything.
  Result<std::string> finish();

 private:
  static la_ssize_t on_read(archive* reader, void* self, const void** block);
  const ByteSource& source_;
  std::optional<Error> source_error_;
  ArchivePtr raw_;
  Sha256 digest_;
  std::array<char, 65536> input_{};
};

// Tar entries of a Decompressor.
class TarReader {
 public:
  explicit TarReader(Decompressor& bytes) : bytes_(bytes) {}
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  Result<void> open();
  // nullptr at the end; else valid until the next call.
  Result<archive_entry*> next();
  struct Block {
    const char* data = nullptr;
    std::size_t size = 0;
    std::int64_t offset = 0;
  };
  // The next piece of the present entry's content; nullopt at its end. Holes are left out.
  Result<std::optional<Block>> read_block();

 private:
  static la_ssize_t on_read(archive* reader, void* self, const void** block);
  tl::unexpected<Error> failure() const;
  Decompressor& bytes_;
  std::optional<Error> bytes_error_;
  ArchivePtr tar_;
  std::array<char, 65536> buffer_{};
};

}  // namespace fermata::image
