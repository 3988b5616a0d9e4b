#include "pod/tar_writer.h"

#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"

namespace fermata::pod {
namespace {

constexpr std::uint64_t kChunk = 8u << 20;  // bytes between two questions

}  // namespace

Result<void> TarWriter::add(const TarMember& member) {
  TRY(patience_());
  return write_all(out_, tar_header(member));
}

Result<void> TarWriter::add_file(const TarMember& member, int file) {
  TRY(add(member));
  off_t done = 0;
  for (std::uint64_t left = member.size; left > 0;) {
    TRY(patience_());
    const ssize_t sent = ::sendfile(out_, file, &done, std::min(left, kChunk));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail(errno, "copy '{}'", member.name);
    // Its header has told another size.
    if (sent == 0) return fail(ErrorKind::failed, "'{}' became shorter while it was read", member.name);
    left -= static_cast<std::uint64_t>(sent);
  }
  return write_all(out_, tar_padding(member.size));
}

Result<void> TarWriter::finish() { return write_all(out_, tar_end()); }

}  // namespace fermata::pod
