#include "image/transfer/tar_reader.h"

#include <cerrno>

namespace fermata::image {
namespace {

tl::unexpected<Error> archive_failure(archive* reader, const std::optional<Error>& cause) {
  if (cause) return tl::unexpected<Error>(*cause);
  const char* text = archive_error_string(reader);
  return fail(ErrorKind::invalid_argument, "damaged archive: {}", text != nullptr ? text : "unknown reason");
}

}  // namespace

Result<void> Decompressor::open() {
  raw_.reset(archive_read_new());
  if (!raw_) return fail(ENOMEM, "read archive");
  archive_read_support_filter_gzip(raw_.get());
  archive_read_support_filter_zstd(raw_.get());
  archive_read_support_filter_xz(raw_.get());
  archive_read_support_filter_bzip2(raw_.get());
  archive_read_support_format_raw(raw_.get());
  archive_read_support_format_empty(raw_.get());
  if (archive_read_open(raw_.get(), this, nullptr, on_read, nullptr) != ARCHIVE_OK)
    return archive_failure(raw_.get(), source_error_);
  archive_entry* entry = nullptr;
  const int found = archive_read_next_header(raw_.get(), &entry);
  if (found == ARCHIVE_EOF) return fail(ErrorKind::invalid_argument, "damaged archive: it is empty");
  if (found != ARCHIVE_OK) return archive_failure(raw_.get(), source_error_);
  return {};
}

la_ssize_t Decompressor::on_read(archive* reader, void* self_pointer, const void** block) {
  auto* self = static_cast<Decompressor*>(self_pointer);
  auto got = self->source_(self->input_.data(), self->input_.size());
  if (!got) {
    self->source_error_ = std::move(got.error());
    archive_set_error(reader, EIO, "source");
    return -1;
  }
  *block = self->input_.data();
  return static_cast<la_ssize_t>(*got);
}

Result<std::size_t> Decompressor::read(char* buffer, std::size_t size) {
  const la_ssize_t got = archive_read_data(raw_.get(), buffer, size);
  if (got < 0) return archive_failure(raw_.get(), source_error_);
  digest_.update({buffer, static_cast<std::size_t>(got)});
  return static_cast<std::size_t>(got);
}

Result<std::string> Decompressor::finish() {
  std::array<char, 65536> rest;
  for (;;) {
    TRY(const std::size_t got, read(rest.data(), rest.size()));
    if (got == 0) return digest_.finish();
  }
}

Result<void> TarReader::open() {
  tar_.reset(archive_read_new());
  if (!tar_) return fail(ENOMEM, "read archive");
  archive_read_support_format_tar(tar_.get());
  archive_read_support_format_empty(tar_.get());
  if (archive_read_open(tar_.get(), this, nullptr, on_read, nullptr) != ARCHIVE_OK) return failure();
  return {};
}

la_ssize_t TarReader::on_read(archive* reader, void* self_pointer, const void** block) {
  auto* self = static_cast<TarReader*>(self_pointer);
  auto got = self->bytes_.read(self->buffer_.data(), self->buffer_.size());
  if (!got) {
    self->bytes_error_ = std::move(got.error());
    archive_set_error(reader, EIO, "source");
    return -1;
  }
  *block = self->buffer_.data();
  return static_cast<la_ssize_t>(*got);
}

tl::unexpected<Error> TarReader::failure() const { return archive_failure(tar_.get(), bytes_error_); }

Result<archive_entry*> TarReader::next() {
  archive_entry* entry = nullptr;
  const int found = archive_read_next_header(tar_.get(), &entry);
  if (found == ARCHIVE_EOF) return nullptr;
  // ARCHIVE_WARN: the entry is usable, a name could not be converted or an unknown header was left out.
  if (found != ARCHIVE_OK && found != ARCHIVE_WARN) return failure();
  return entry;
}

Result<std::optional<TarReader::Block>> TarReader::read_block() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int got = archive_read_data_block(tar_.get(), &data, &size, &offset);
  if (got == ARCHIVE_EOF) return std::nullopt;
  if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return failure();
  return Block{static_cast<const char*>(data), size, offset};
}

}  // namespace fermata::image
