// fermata-monitor: one per pod, parent of its processes. monitor/protocol.h is its contract.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#include "monitor/event_command.h"
#include "monitor/inherited.h"
#include "monitor/loop.h"
#include "monitor/protocol.h"
#include "monitor/server.h"

namespace monitor = fermata::monitor;

namespace {

// Whoever started us may have left anything open, and be waiting for its end.
bool own_descriptors() {
  if (::fcntl(monitor::kListenFd, F_SETFD, FD_CLOEXEC) != 0 ||
      ::fcntl(monitor::kListenFd, F_SETFL, O_NONBLOCK) != 0)
    return false;
  ::syscall(SYS_close_range, monitor::kListenFd + 1, UINT_MAX, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  for (int fd = 0; fd < 3; ++fd)
    if (::dup2(null, fd) < 0) return false;
  if (null > 2) ::close(null);
  return true;
}

}  // namespace

int main(int, char** arguments, char** environment) {
  ::prctl(PR_SET_NAME, "fermata-monitor", 0, 0, 0);
  // Our descriptors reach into every container: nobody inside may have a look at us.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::setsid();
  ::umask(022);
  if (::chdir("/") != 0 || !own_descriptors()) return 1;
  monitor::prepare_own_state();
  monitor::event_command::configure(arguments + 1, environment);
  if (monitor::loop::open() != 0 || monitor::start_signals() != 0) return 1;
  if (monitor::start_server(monitor::kListenFd) != 0) return 1;
  monitor::run_server();
  return 0;
}
