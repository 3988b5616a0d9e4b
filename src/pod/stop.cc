// Signals and waiting. The end of a process is told by its monitor or its pidfd, never polled for.
#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <csignal>
#include <limits>
#include <vector>

#include "base/signals.h"
#include "kernel/pidfd.h"
#include "pod/engine_impl.h"
#include "pod/foreign.h"

namespace fermata::pod {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kDefaultTimeout = 10;           // seconds, docker's
constexpr milliseconds kKillPatience{10000};  // after SIGKILL
constexpr int kLostExitCode = 137;

// A container that is to end, and has been told.
struct Ending {
  std::string id, name;
  std::string group;  // killed at the deadline; "": it was
  UniqueFd process;
  std::optional<steady_clock::time_point> deadline;  // nullopt: it has all time
};

// For poll(2): until the first deadline.
int time_left(const std::vector<Ending>& endings) {
  std::int64_t left = -1;
  for (const Ending& ending : endings) {
    if (!ending.deadline) continue;
    const std::int64_t own = std::max<std::int64_t>(
        0, std::chrono::ceil<milliseconds>(*ending.deadline - steady_clock::now()).count());
    left = left < 0 ? own : std::min(left, own);
  }
  return static_cast<int>(std::min<std::int64_t>(left, std::numeric_limits<int>::max()));
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

// By the runtime that made it, if that is another: its process may only stand for the container's.
Result<void> tell(const Engine::Impl& engine, LivePod& live, const ContainerRow& container, int signal) {
  if (!is_foreign(container)) return send(live, container.id, signal);
  auto told = ForeignContainer(engine.options().run_root, container).signal(signal);
  if (told) return told;
  // It has ended meanwhile.
  if (const auto asked = live.refresh(); !asked || !live.runs(container.id)) return {};
  return told;
}

// It did not do as it was told.
Result<void> at_deadline(Engine::Impl& engine, LivePod& live, Ending& ending) {
  if (ending.group.empty())
    return fail(ErrorKind::unavailable,
                "container {} does not end after SIGKILL: a process of it hangs in the kernel", ending.name);
  // All of it: with a shared PID namespace the first process's end would leave the others.
  TRY(engine.kill_group(ending.group));
  TRY(send(live, ending.id, SIGKILL));
  ending.group.clear();
  ending.deadline = steady_clock::now() + kKillPatience;
  return {};
}

// Waits for all of them together, so that none adds its time to another's.
Result<void> wait_ends(Engine::Impl& engine, LivePod& live, std::vector<Ending> endings) {
  std::vector<pollfd> ends;
  while (!endings.empty()) {
    ends.clear();
    for (const Ending& ending : endings)
      ends.push_back({.fd = ending.process.get(), .events = POLLIN, .revents = 0});
    if (::poll(ends.data(), ends.size(), time_left(endings)) < 0 && errno != EINTR)
      return fail(errno, "wait for a process");
    for (std::size_t i = endings.size(); i-- > 0;) {
      if (ends[i].revents != 0) {
        // Its monitor has then written the exit file. An error: the monitor has ended, and said what it had
        // to say.
        (void)live.client.wait(endings[i].id);
        endings.erase(endings.begin() + static_cast<std::ptrdiff_t>(i));
      } else if (endings[i].deadline && *endings[i].deadline <= steady_clock::now()) {
        TRY(at_deadline(engine, live, endings[i]));
      }
    }
  }
  return {};
}

// An image may name one that does not exist: then it is docker's default.
int stop_signal(const ContainerRow& container) {
  return parse_signal(container.runtime.resolved.stop_signal).value_or(SIGTERM);
}

// Tells a container to end, if it runs.
Result<void> ask_to_end(Engine::Impl& engine, const PodRow& pod, LivePod& live, const ContainerRow& container,
                        int signal, std::optional<int> timeout, std::vector<Ending>& endings) {
  TRY(UniqueFd process, open_process(live, container.id));
  if (!process) return {};
  TRY(tell(engine, live, container, signal));
  // One that stands still would never hear of it.
  TRY(engine.thaw(pod, container.id));
  Ending ending{.id = container.id,
                .name = container.name,
                .group = engine.container_cgroup(pod, container.id),
                .process = std::move(process),
                .deadline = {}};
  const int seconds = timeout.value_or(container.config.stop_timeout.value_or(kDefaultTimeout));
  if (seconds >= 0) ending.deadline = steady_clock::now() + std::chrono::seconds(seconds);
  endings.push_back(std::move(ending));
  return {};
}

// Those of an infra container: its end is theirs, so they have theirs before it.
Result<void> stop_members(Engine::Impl& engine, const PodRow& pod, LivePod& live,
                          std::optional<int> timeout) {
  TRY(const auto members, engine.store().members(pod.id));
  std::vector<Ending> endings;
  for (const ContainerRow& member : members) {
    if (member.id == pod.config.infra) continue;
    TRY(ask_to_end(engine, pod, live, member, stop_signal(member), timeout, endings));
  }
  return wait_ends(engine, live, std::move(endings));
}

}  // namespace

Result<void> Engine::Impl::stop(const std::string& reference, std::optional<int> timeout,
                                const std::string& signal) {
  TRY(const auto container, find(reference));
  int number = stop_signal(container);
  if (!signal.empty()) {
    TRY(number, parse_signal(signal));
  }
  const auto pod = store().pod(container.pod);
  TRY(auto live, reach(container.pod));
  if (!pod || !live) return settle(container.pod);
  claim_ends(*live, pod->config.infra == container.id ? "" : container.id);
  if (pod->config.infra == container.id) TRY(stop_members(*this, *pod, *live, timeout));
  std::vector<Ending> endings;
  TRY(ask_to_end(*this, *pod, *live, container, number, timeout, endings));
  TRY(wait_ends(*this, *live, std::move(endings)));
  TRY(settle(container.pod));
  ends_settled(*live);
  return {};
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
  // Its row may go with its process.
  TRY(const PodRow pod, store().pod(container.pod));
  TRY(UniqueFd process, open_process(*live, container.id));
  TRY(tell(*this, *live, container, number));
  // As docker: what is to end it is heard at once, another signal when it goes on.
  if (number == SIGKILL || number == stop_signal(container)) TRY(thaw(pod, container.id));
  if (number != SIGKILL || !process) return {};
  std::vector<Ending> endings;
  endings.push_back({.id = container.id,
                     .name = container.name,
                     .group = {},
                     .process = std::move(process),
                     .deadline = steady_clock::now() + kKillPatience});
  TRY(wait_ends(*this, *live, std::move(endings)));
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
