#include "cri/store_claim.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/core/unique_fd.h"
#include "base/files.h"
#include "base/text.h"

namespace fermata::cri {

Result<StoreClaim> StoreClaim::take(const std::string& root) {
  TRY(make_directories(root, 0711));
  const std::string path = root + "/fermatad.lock";
  TRY(auto lock, FileLock::try_acquire(path));
  if (!lock) {
    const auto content = read_file(path, 64);
    const std::string pid(content ? trim(*content) : "");
    return fail(
        ErrorKind::conflict,
        "another fermatad{} has the store '{}'; stop it, or give this one another --root and --run-root",
        pid.empty() ? "" : " (pid " + pid + ")", root);
  }
  // Into the file that is locked: a new one beside it would have no lock.
  TRY(const UniqueFd file, open_file(path, O_WRONLY | O_TRUNC));
  TRY(write_all(file.get(), std::to_string(::getpid()) + "\n"));
  return StoreClaim(std::move(*lock));
}

Result<void> check_socket_free(const std::string& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail(errno, "stat '{}'", path);
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(ErrorKind::invalid_argument, "listen: '{}' is there and is no socket", path);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid_argument, "listen: '{}' is too long for a socket", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return fail(ErrorKind::conflict,
                "listen: another process serves '{}'; stop it, or give --listen another path", path);
  return {};
}

}  // namespace fermata::cri
