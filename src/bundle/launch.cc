#include "bundle/launch.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/files.h"
#include "base/process.h"
#include "init/report.h"
#include "kernel/core/packet.h"
#include "kernel/pidfd.h"
#include "kernel/program.h"
#include "monitor/child.h"

namespace fermata::bundle {
namespace {

struct Received {
  bool ended = false;
  init::Report report = {};
  UniqueFd descriptor;
};

Result<Received> receive(int socket) {
  Received received;
  auto [size, descriptor] = kernel::receive_packet(socket, &received.report, sizeof received.report);
  // A connection that init had not taken when it was killed is reset.
  if (size < 0 && size != -ECONNRESET) return fail(static_cast<int>(-size), "hear from fermata-init");
  if (size <= 0) {
    received.ended = true;
    return received;
  }
  received.descriptor = std::move(descriptor);
  if (size != sizeof received.report) return fail(EBADMSG, "hear from fermata-init");
  return received;
}

Result<void> go_on(int socket) {
  const char byte = 1;
  if (::send(socket, &byte, sizeof byte, MSG_NOSIGNAL) < 0) return fail(errno, "let fermata-init go on");
  return {};
}

// An end without a failure is a successful execve(2), unless the process was killed before.
Result<void> check_alive(int pid) {
  const auto stat = process_stat(pid);
  if (stat && stat->state == 'Z' && stat->name == kInitName)
    return fail(ErrorKind::failed, "the container's process was killed before it executed its program");
  return {};
}

const char* describe(monitor::Stage stage) {
  switch (stage) {
    case monitor::Stage::cgroup:
      return "enter the container's control group";
    case monitor::Stage::namespaces:
      return "enter the container's namespaces";
    case monitor::Stage::init:
      return "start fermata-init";
    default:
      return "make the container's first process";
  }
}

}  // namespace

Result<void> send_descriptor(int socket, int descriptor, std::string_view bytes) {
  if (const int error = kernel::send_packet(socket, bytes.data(), bytes.size(), descriptor); error != 0)
    return fail(-error, "send a descriptor");
  return {};
}

Result<Progress> follow(int socket, int pid, const runtime::LaunchPlan& plan,
                        const std::vector<std::string>& args, const Reactions& reactions) {
  for (;;) {
    TRY(Received received, receive(socket));
    if (received.ended) {
      TRY(check_alive(pid));
      return Progress::executed;
    }
    switch (received.report.kind) {
      case init::ReportKind::ready:
        return Progress::ready;
      case init::ReportKind::console:
        if (reactions.console) TRY(reactions.console(std::move(received.descriptor)));
        break;
      case init::ReportKind::listener:
        if (reactions.listener) TRY(reactions.listener(std::move(received.descriptor)));
        break;
      case init::ReportKind::waiting:
        if (reactions.waiting) TRY(reactions.waiting(pid));
        TRY(go_on(socket));
        break;
      case init::ReportKind::started:
        return fail(ErrorKind::failed,
                    "fermata-init reports on a process that it was not asked to supervise");
      case init::ReportKind::failed: {
        const int error = received.report.error;
        auto explained = runtime::explain_failure(plan, args, received.report.op_index, error);
        return tl::unexpected(Error(kind_of(error), error, std::move(explained.message)));
      }
    }
  }
}

void end_child(const Child& child) {
  kernel::send_signal(child.pidfd.get(), SIGKILL);
  siginfo_t how = {};
  while (::waitid(P_PID, static_cast<id_t>(child.pid), &how, WEXITED) != 0 && errno == EINTR) {
  }
}

Result<std::optional<siginfo_t>> wait_child(const Child& child, int milliseconds) {
  pollfd end = {.fd = child.pidfd.get(), .events = POLLIN, .revents = 0};
  int ready;
  do ready = ::poll(&end, 1, milliseconds);
  while (ready < 0 && errno == EINTR && milliseconds < 0);
  if (ready < 0 && errno != EINTR) return fail(errno, "wait for a process");
  if (ready <= 0) return std::nullopt;
  siginfo_t how = {};
  if (::waitid(P_PID, static_cast<id_t>(child.pid), &how, WEXITED) != 0)
    return fail(errno, "wait for a process");
  return how;
}

Result<Child> launch(const runtime::LaunchPlan& plan, const std::vector<std::string>& args,
                     const Birthplace& place, const Reactions& reactions) {
  // The child shows our memory, and by it our program and descriptors, in the container's PID namespace until
  // it executes init: nobody there may look or trace (CVE-2016-9962, CVE-2019-5736).
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail(errno, "protect our memory");
  TRY(const UniqueFd init, kernel::open_program(place.init_path));
  TRY(const UniqueFd bytes, memory_file("plan", plan.bytes));
  int pair[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return fail(errno, "make a socket");
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);

  std::vector<int> descriptors(place.streams.begin(), place.streams.end());
  descriptors.insert(descriptors.end(), {theirs.get(), bytes.get()});
  descriptors.insert(descriptors.end(), plan.slots.begin(), plan.slots.end());
  monitor::ChildPlan child;
  child.fds = descriptors.data();
  child.fd_count = static_cast<std::uint32_t>(descriptors.size());
  child.program = init.get();
  child.pid_namespace = plan.pid_namespace;
  child.new_pid = plan.new_pid_namespace;
  child.user_namespace = plan.user_namespace;
  child.joined = plan.joined_namespaces.data();
  child.joined_count = static_cast<std::uint32_t>(plan.joined_namespaces.size());
  child.limits = plan.limits.data();
  child.limit_count = static_cast<std::uint32_t>(plan.limits.size());
  if (plan.oom_score_adj) child.oom_score_adj = &*plan.oom_score_adj;
  if (place.group != nullptr) {
    child.cgroup_v2 = place.group->v2.get();
    for (const UniqueFd& procs : place.group->v1_tasks) child.v1_tasks[child.v1_count++] = procs.get();
  }
  int pidfd = -1;
  const int pid = monitor::start_child(child, pidfd);
  if (pid == 0) return fail(child.error, "cannot {}", describe(child.stage));
  theirs.reset();
  Child result{.pid = pid, .pidfd = UniqueFd(pidfd)};
  const bool waits = std::find(plan.ops.begin(), plan.ops.end(), init::Op::await_start) != plan.ops.end();
  for (;;) {
    const auto progress = follow(ours.get(), pid, plan, args, reactions);
    if (progress && (waits || *progress == Progress::executed)) return result;
    if (progress) continue;
    end_child(result);
    return tl::unexpected(progress.error());
  }
}

}  // namespace fermata::bundle
