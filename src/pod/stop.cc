// Signals and waiting. The end of a process is told by its monitor or its pidfd, never polled for.
#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <csignal>

#include "kernel/pidfd.h"
#include "pod/engine_impl.h"

namespace fermata::pod {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kDefaultTimeout = 10;           // seconds, docker's
constexpr milliseconds kKillPatience{10000};  // after SIGKILL
constexpr int kLostExitCode = 137;

// Milliseconds for poll(2); negative: for ever.
Result<bool> wait_end(int pidfd, std::optional<milliseconds> timeout) {
  const auto deadline = steady_clock::now() + timeout.value_or(milliseconds(0));
  for (;;) {
    int left = -1;
    if (timeout)
      left = std::max(
          0, static_cast<int>(std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count()));
    pollfd end = {.fd = pidfd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&end, 1, left);
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return fail(errno, "wait for a process");
  }
}

// Another command was quicker: the pod's last process has ended, and its monitor with it.
bool monitor_gone(const Error& error) {
  return error.error_number() == EPIPE || error.error_number() == ECONNRESET;
}

// A running container's first process. The monitor is asked again after the pidfd was opened: the number is
// its own.
Result<UniqueFd> open_process(LivePod& live, const std::string& container) {
  const auto* process = live.find(container);
  if (process == nullptr || process->exit_code >= 0) return UniqueFd();
  const int pid = process->pid;
  UniqueFd pidfd = kernel::open_pidfd(pid);
  if (!pidfd && errno != ESRCH) return fail(errno, "open process {}", pid);
  if (auto asked = live.refresh(); !asked) {
    if (monitor_gone(asked.error())) return UniqueFd();
    return tl::unexpected(std::move(asked.error()));
  }
  process = live.find(container);
  if (process == nullptr || process->exit_code >= 0 || process->pid != pid) return UniqueFd();
  return pidfd;
}

// ESRCH: it has ended by itself.
Result<void> send(LivePod& live, const std::string& container, int signal) {
  auto sent = live.client.signal(container, signal);
  if (!sent && (sent.error().error_number() == ESRCH || monitor_gone(sent.error()))) return {};
  return sent;
}

}  // namespace

Result<void> Engine::Impl::stop(const std::string& reference, std::optional<int> timeout,
                                const std::string& signal) {
  TRY(const auto container, find(reference));
  TRY(const int number, parse_signal(signal.empty() ? container.runtime.resolved.stop_signal : signal));
  TRY(auto live, reach(container.pod));
  if (!live) return settle(container.pod);
  TRY(const UniqueFd process, open_process(*live, container.id));
  if (process) {
    const int seconds = timeout.value_or(container.config.stop_timeout.value_or(kDefaultTimeout));
    TRY(send(*live, container.id, number));
    std::optional<milliseconds> patience;
    if (seconds >= 0) patience = std::chrono::seconds(seconds);
    TRY(const bool ended, wait_end(process.get(), patience));
    if (!ended) {
      // All of it: with a shared PID namespace the first process's end would leave the others.
      TRY(const PodRow pod, store().pod(container.pod));
      TRY(const auto* mounts, cgroup_mounts());
      TRY(kernel::Cgroup::open(*mounts, container_cgroup(pod, container.id)).kill_all());
      TRY(send(*live, container.id, SIGKILL));
      TRY(const bool killed, wait_end(process.get(), kKillPatience));
      if (!killed)
        return fail(ErrorKind::unavailable,
                    "container {} does not end after SIGKILL: a process of it hangs in the kernel",
                    container.name);
    }
    // Its monitor has then written the exit file. An error: the monitor has ended, and said what it had to
    // say.
    (void)live->client.wait(container.id);
  }
  return settle(container.pod);
}

Result<void> Engine::Impl::kill(const std::string& reference, const std::string& signal) {
  TRY(const int number, parse_signal(signal.empty() ? "KILL" : signal));
  TRY(const auto container, find(reference));
  TRY(auto live, reach(container.pod));
  if (!live || !live->runs(container.id)) {
    if (live || container.state == ContainerState::running) TRY(settle_if_idle(container.pod));
    return fail(ErrorKind::conflict, "Cannot kill container: {}: container {} is not running", reference,
                container.id);
  }
  TRY(const UniqueFd process, open_process(*live, container.id));
  TRY(send(*live, container.id, number));
  if (number != SIGKILL || !process) return {};
  TRY(const bool ended, wait_end(process.get(), kKillPatience));
  if (!ended)
    return fail(ErrorKind::unavailable,
                "container {} does not end after SIGKILL: a process of it hangs in the kernel",
                container.name);
  (void)live->client.wait(container.id);
  return settle(container.pod);
}

Result<int> Engine::Impl::wait(const std::string& reference) {
  TRY(auto container, find(reference));
  TRY(auto live, reach(container.pod));
  if (live && live->runs(container.id)) {
    if (const auto process = live->client.wait(container.id)) return process->exit_code;
    // The monitor went away while we waited; with --rm the row may have gone too.
    live.reset();
    auto again = store().container(container.id);
    if (!again) return kLostExitCode;
    container = std::move(*again);
  }
  present(container, live ? &*live : nullptr);
  return container.runtime.exit_code;
}

Result<void> Engine::Impl::resize(const std::string& reference, std::uint32_t rows, std::uint32_t columns) {
  TRY(const auto container, find(reference));
  TRY(auto live, reach(container.pod));
  if (!live || !live->runs(container.id))
    return fail(ErrorKind::conflict, "container {} is not running", container.id);
  return live->client.resize(container.id, rows, columns);
}

}  // namespace fermata::pod
