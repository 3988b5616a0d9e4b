#include "bundle/descriptors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/files.h"
#include "base/text.h"
#include "bundle/launch.h"
#include "bundle/record.h"

namespace fermata::bundle {
namespace {

constexpr int kFirst = 3;
constexpr int kMost = 100;

// How many sockets our own starter passed to us by this protocol.
int listening_descriptors() {
  const char* const pid = std::getenv("LISTEN_PID");
  const char* const count = std::getenv("LISTEN_FDS");
  if (count == nullptr || (pid != nullptr && parse_signed(pid) != ::getpid())) return 0;
  const auto number = parse_unsigned(count);
  return number && *number <= kMost ? static_cast<int>(*number) : 0;
}

}  // namespace

Result<std::vector<int>> handed_down(int preserve_fds, oci::Process* process) {
  const int listening = listening_descriptors();
  if (preserve_fds < 0 || preserve_fds > kMost)
    return fail(ErrorKind::invalid_argument, "--preserve-fds {}: 0 to {}", preserve_fds, kMost);
  std::vector<int> result;
  for (int fd = kFirst; fd < kFirst + listening + preserve_fds; ++fd) {
    // What our caller has given us is open across execve; what we have opened since is not.
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0)
      return fail(ErrorKind::invalid_argument,
                  "descriptor {} is to be handed down (--preserve-fds, LISTEN_FDS), and is not open", fd);
    result.push_back(fd);
  }
  if (listening > 0) {
    process->env.push_back(fmt::format("LISTEN_FDS={}", listening));
    process->env.push_back("LISTEN_PID=1");
    if (const char* names = std::getenv("LISTEN_FDNAMES"); names != nullptr)
      process->env.push_back(fmt::format("LISTEN_FDNAMES={}", names));
  }
  return result;
}

Result<UniqueFd> connect_to(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno, "make a socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid_argument, "'{}' is no path of a socket (at most {} bytes)", path,
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(errno, "connect to '{}'", path);
  return socket;
}

Result<void> send_console(const std::string& path, int master) {
  TRY(const UniqueFd socket, connect_to(path));
  // The name is for the receiver's messages; it means nothing outside of the container.
  return send_descriptor(socket.get(), master, "/dev/ptmx");
}

sockaddr_un start_address(int directory) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/{}", directory,
                   kStartSocket);
  return address;
}

Result<void> write_pid_file(const std::string& path, int pid) {
  if (path.empty()) return {};
  return write_file(path, std::to_string(pid));
}

}  // namespace fermata::bundle
