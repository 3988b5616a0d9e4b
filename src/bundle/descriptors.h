// Descriptors that a caller hands down to the container's process, and sockets on which it waits for us.
#pragma once

#include <sys/un.h>

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

// The descriptors 3, 4, ... that go to the process: as many as were asked for (--preserve-fds), and those on
// which systemd listens for it (LISTEN_FDS; sd_listen_fds(3)), whose variables are set in the process's
// environment.
Result<std::vector<int>> handed_down(int preserve_fds, oci::Process* process);

// A connection to a stream socket at `path`.
Result<UniqueFd> connect_to(const std::string& path);
// The terminal's master to whoever listens at `path`.
Result<void> send_console(const std::string& path, int master);

// Of `kStartSocket` in an opened directory of a container: its path alone may be longer than an address can
// be.
sockaddr_un start_address(int directory);

// "" writes none.
Result<void> write_pid_file(const std::string& path, int pid);

}  // namespace fermata::bundle
