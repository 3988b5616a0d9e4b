// Exec sessions that can be taken back: orders to the supervisor (init/perform_supervise.cc), and what is
// done when it cannot carry them out. It lives inside the container, where root may stop or kill it; we do
// not.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "monitor/process.h"
#include "monitor/text.h"

namespace fermata::monitor {
namespace {

// Between the order to the supervisor and doing it ourselves. It takes a few milliseconds, unless a process
// hangs in the kernel.
constexpr std::int64_t kPatienceMs = 2000;

void time_is_over(Timer* timer) {
  PodProcess& process = *reinterpret_cast<ProcessTimer*>(timer)->process;
  if (!process.supervision.ordered) {
    if (order_end(process) == 0) process.info.flags |= kTimedOut;
    return;
  }
  kill_exec_group(process);
  ::syscall(SYS_pidfd_send_signal, process.supervision.supervisor.get(), SIGKILL, nullptr, 0);
}

void start_timer(PodProcess& process, std::int64_t milliseconds) {
  ProcessTimer& timer = process.supervision.timer;
  timer.process = &process;
  timer.timer.expired = time_is_over;
  loop::start(timer.timer, milliseconds);
}

}  // namespace

void begin_supervision(PodProcess& process, int container_group) {
  process.supervision.container.reset(container_group);
  // A container of another runtime's has no group but the container's.
  if (!process.has(kExec)) return static_cast<void>(*append_text(process.supervision.group, ".") = '\0');
  *append_text(append_text(process.supervision.group, kExecGroup), process.info.id) = '\0';
}

void limit_time(PodProcess& process, std::uint64_t timeout_ms) {
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 60;  // a sum with the clock does not overflow
  start_timer(process, static_cast<std::int64_t>(timeout_ms < kLongest ? timeout_ms : kLongest));
}

int order_end(PodProcess& process) {
  if (process.supervision.ordered) return 0;
  process.supervision.ordered = true;
  start_timer(process, kPatienceMs);
  const char order = 1;
  // EPIPE: it is just ending, or will have to.
  return ::send(process.report.watch.fd, &order, sizeof order, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

void kill_exec_group(PodProcess& process) {
  const Supervision& supervision = process.supervision;
  const UniqueFd group(
      ::openat(supervision.container.get(), supervision.group, O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd kill(::openat(group.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  // Gone with the container; or of v1, where the parent death signal has taken the command itself.
  if (!kill.valid()) return;
  const char order = '1';
  while (::write(kill.get(), &order, 1) < 0 && errno == EINTR) {
  }
}

void end_supervision(PodProcess& process) {
  Supervision& supervision = process.supervision;
  loop::stop(supervision.timer.timer);
  if (!process.supervised()) return;
  ::unlinkat(supervision.container.get(), supervision.group, AT_REMOVEDIR);
  supervision.container.reset();
  supervision.supervisor.reset();
}

}  // namespace fermata::monitor
