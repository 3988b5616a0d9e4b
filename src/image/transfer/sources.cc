#include "image/transfer/sources.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace fermata::image {

ByteSource read_from(int fd) {
  return [fd](char* buffer, std::size_t size) -> Result<std::size_t> {
    for (;;) {
      const ssize_t got = ::read(fd, buffer, size);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return fail(errno, "read");
    }
  };
}

Result<UniqueFd> open_input(const std::string& path) {
  if (!path.empty()) return open_file(path, O_RDONLY);
  const int copy = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail(errno, "read standard input");
  return UniqueFd(copy);
}

Result<PlacedLayer> place_layer(const ByteSource& source, const TransferContext& context,
                                const std::string& name, const std::string& expected, Whiteouts whiteouts) {
  PlacedLayer placed;
  placed.directory = context.work_directory + "/" + name;
  if (::mkdir(placed.directory.c_str(), 0755) != 0)
    return fail(errno, "make directory '{}'", placed.directory);
  TRY(placed.layer, unpack_layer(source, placed.directory, whiteouts));
  if (!expected.empty() && placed.layer.diff_id != expected)
    return fail(ErrorKind::invalid_argument,
                "layer digest mismatch: the image's configuration says {}, its content is {}", expected,
                placed.layer.diff_id);
  return placed;
}

}  // namespace fermata::image
