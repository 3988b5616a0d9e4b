// What runs, asked from those who know: the pod's monitor, or the exit file it left.
#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "pod/engine_impl.h"

namespace fermata::pod {
namespace {

constexpr int kLostExitCode = 137;  // killed, as far as anyone can tell

struct Exit {
  int code = 0;
  bool oom_killed = false;
  std::int64_t started = 0, finished = 0;
};

// monitor/protocol.h: "<exit code> <oom> <started> <finished>\n".
std::optional<Exit> read_exit_file(const std::string& directory) {
  const auto text = read_file(directory + "/" + monitor::kExitFile, 4096);
  if (!text) return std::nullopt;
  const auto fields = split(trim(*text), ' ');
  if (fields.size() < 4) return std::nullopt;
  return Exit{.code = static_cast<int>(parse_signed(fields[0]).value_or(kLostExitCode)),
              .oom_killed = fields[1] == "1",
              .started = parse_signed(fields[2]).value_or(0),
              .finished = parse_signed(fields[3]).value_or(0)};
}

void apply(const Exit& exit, ContainerRow& container) {
  container.state = ContainerState::exited;
  container.runtime.exit_code = exit.code;
  container.runtime.oom_killed = exit.oom_killed;
  container.runtime.started = exit.started;
  container.runtime.finished = exit.finished;
}

}  // namespace

const monitor::Process* LivePod::find(const std::string& container) const {
  const auto found = std::find_if(processes.begin(), processes.end(), [&](const monitor::Process& process) {
    return (process.flags & monitor::kExec) == 0 && container == process.id;
  });
  return found == processes.end() ? nullptr : &*found;
}

bool LivePod::runs(const std::string& container) const {
  const auto* process = find(container);
  return process != nullptr && process->exit_code < 0;
}

bool LivePod::anything_runs() const {
  return std::any_of(processes.begin(), processes.end(),
                     [](const auto& process) { return process.exit_code < 0; });
}

Result<void> LivePod::refresh() {
  TRY(processes, client.list());
  return {};
}

Result<std::optional<LivePod>> Engine::Impl::reach(const std::string& pod) {
  TRY(auto client, MonitorClient::connect(run_directory(pod)));
  if (!client) return std::nullopt;
  LivePod live{.client = std::move(*client), .processes = {}};
  // It may end between the connection and the question.
  if (!live.refresh()) return std::nullopt;
  return live;
}

Present Engine::Impl::present(ContainerRow& container, const LivePod* live) const {
  if (container.state == ContainerState::removing) return {container.state, 0};
  if (const auto* process = live == nullptr ? nullptr : live->find(container.id)) {
    if (process->exit_code < 0) {
      container.state = ContainerState::running;
      container.runtime.started = process->started;
      return {container.state, process->pid};
    }
    apply({process->exit_code, process->oom_killed != 0, process->started, process->finished}, container);
    return {container.state, 0};
  }
  if (container.state != ContainerState::running) return {container.state, 0};
  // It was launched, or was about to be.
  if (const auto exit = read_exit_file(container_directory(container.id))) {
    apply(*exit, container);
  } else if (live != nullptr) {
    container.state = container.runtime.finished == 0 ? ContainerState::created : ContainerState::exited;
  } else {
    apply({.code = kLostExitCode, .started = container.runtime.started, .finished = now_ns()}, container);
    container.runtime.error = "MonitorLost";
  }
  return {container.state, 0};
}

}  // namespace fermata::pod
