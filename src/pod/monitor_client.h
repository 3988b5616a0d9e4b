// The engine's side of monitor/protocol.h: one connection to a pod's monitor.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "kernel/cgroup.h"
#include "monitor/protocol.h"
#include "pod/engine.h"
#include "pod/rendezvous.h"

namespace fermata::pod {

// Empty where the pod has none of its own.
struct PodNamespaces {
  UniqueFd net, ipc, uts;
  UniqueFd mount;  // with the pod's tmpfs: "/shm"
  UniqueFd user;   // which owns the others
};

// Descriptors are borrowed, -1: none.
struct LaunchRequest {
  std::string id;
  std::string container;
  std::uint32_t flags = 0;  // monitor::kTerminal, ...
  std::string plan;         // init/plan.h
  std::vector<int> slots;
  int init_program = -1;
  int pid_namespace = -1;
  int user_namespace = -1;
  std::vector<int> joined_namespaces;  // as runtime::LaunchPlan has them, like the next two
  std::vector<init::ResourceLimit> limits;
  std::optional<int> oom_score_adj;
  std::optional<std::uint32_t>
      stream_owner;  // the host's user to whom pipes are given; with a user namespace
  int directory = -1;
  int oom_events = -1;
  kernel::Cgroup::Handles group;     // all of it is used: hybrid hosts need both
  int exec_group = -1;               // monitor::FdTag::exec_group: the plan has a supervisor
  std::uint64_t timeout_ms = 0;      // with exec_group; 0: none
  Rendezvous* rendezvous = nullptr;  // served until the monitor answers; nullptr: init waits for nobody
  std::uint64_t log_size = 0;
  std::uint32_t log_files = 1;
  bool log_enabled = false;
};

struct LaunchOutcome {
  // reply.error != 0: it did not start, `op_index` and `stage` say where. The client can still be used.
  monitor::Reply reply;
  // With streams, and then the client has become it and answers nothing more.
  std::unique_ptr<Session> session;
};

// Not thread-safe. Every request is answered before the method returns; an errno that the monitor answers is
// the Error's error_number (ESRCH: no such process; EBUSY: it still runs).
class MonitorClient {
 public:
  // nullopt: no monitor lives there.
  static Result<std::optional<MonitorClient>> connect(const std::string& run_directory);

  // The highest protocol version that the monitor speaks.
  Result<std::uint32_t> hello();
  Result<int> monitor_pid();
  // Readable when the monitor has ended.
  Result<UniqueFd> open_pidfd();
  // `namespaces`: CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS. `user_namespace` (borrowed): it is to own them,
  // and the monitor keeps it; -1: the host's does. Repeating it is fine. `meanwhile` is done in the time that
  // the monitor takes.
  Result<PodNamespaces> setup(
      std::uint32_t namespaces, std::uint64_t shm_size, const std::string& hostname, int user_namespace = -1,
      const std::function<Result<void>()>& meanwhile = [] { return Result<void>(); });
  Result<PodNamespaces> namespaces();
  // An Error means that the monitor could not be asked; what it answers is the outcome. EPROTONOSUPPORT: it
  // is of before exec_group.
  Result<LaunchOutcome> launch(const LaunchRequest& request, const StreamSelection& streams);
  Result<void> signal(const std::string& id, int signal);
  // Of a launch with exec_group: all that has come of it. It ends as if it were killed.
  Result<void> kill_group(const std::string& id);
  Result<void> resize(const std::string& id, std::uint32_t rows, std::uint32_t columns);
  Result<std::vector<monitor::Process>> list();
  // Blocks until the process has ended (all its output is then in the log).
  Result<monitor::Process> wait(const std::string& id);
  // Of a process that was killed: an error, and the end of this connection, when it hangs in the kernel.
  Result<monitor::Process> wait_killed(const std::string& id,
                                       std::chrono::milliseconds patience = std::chrono::seconds(10));
  // Adds to what it holds. target[i] belongs to relays[i].
  Result<void> hold_ports(const std::vector<UniqueFd>& held, const std::vector<UniqueFd>& relays,
                          const std::vector<monitor::RelayTarget>& targets);
  Result<void> reopen_log(const std::string& id);
  // The monitor has ended, or is about to. EBUSY while a process runs.
  Result<void> end();
  // From here on the end of this process ("": of all that run) is followed by what the caller does about it,
  // and by no event command; until ends_settled(), or the end of this connection, when that is made up for.
  // EPROTONOSUPPORT: a monitor of before knows no such thing.
  Result<void> claim_ends(const std::string& id);
  Result<void> ends_settled();
  // Unknown is success. EBUSY while it runs.
  Result<void> forget(const std::string& id);
  Result<std::unique_ptr<Session>> attach(const std::string& id, const StreamSelection& streams) &&;

 private:
  struct Packet;
  struct Answer;
  Result<void> send(const Packet& packet, const char* what);
  Result<Answer> receive(monitor::Type type, const char* what);
  explicit MonitorClient(UniqueFd socket) : socket_(std::move(socket)) {}
  Result<Answer> ask(const Packet& packet, const char* what);
  // The same, and an error in the Reply is an Error.
  Result<Answer> demand(const Packet& packet, const char* what);
  Result<Answer> receive_success(monitor::Type asked, const char* what);
  Result<PodNamespaces> receive_namespaces(monitor::Type asked, const char* what);

  UniqueFd socket_;
};

// Another command was quicker: the pod's last process has ended, and its monitor with it.
inline bool monitor_gone(const Error& error) {
  return error.error_number() == EPIPE || error.error_number() == ECONNRESET;
}

}  // namespace fermata::pod
