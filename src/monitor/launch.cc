// From a launch request to the reply that it succeeded (init has exec'd) or why it did not.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "init/plan.h"
#include "init/report.h"
#include "monitor/child.h"
#include "monitor/memory.h"
#include "monitor/process.h"
#include "monitor/server.h"
#include "monitor/text.h"

namespace fermata::monitor {
namespace {

constexpr std::size_t kMaxLogFiles = 100;
constexpr gid_t kNoGroup = static_cast<gid_t>(-1);  // as it is; fchown(2)

bool failed(Reply& reply, Stage stage, int error) {
  reply.error = error;
  reply.stage = stage;
  reply.op_index = init::kNoOp;
  return false;
}

// The request's descriptors, by what they are for. Those that outlive the launch are taken from the list.
int sort_descriptors(const Request& request, int* fds, PodProcess& process, ChildPlan& plan, int* joined,
                     int& plan_fd) {
  std::uint32_t slots = 0;
  for (std::uint32_t i = 0; i < request.fd_count; ++i) {
    switch (request.tags[i]) {
      case FdTag::plan:
        plan_fd = fds[i];
        break;
      case FdTag::init_program:
        plan.program = fds[i];
        break;
      case FdTag::pid_namespace:
        plan.pid_namespace = fds[i];
        break;
      case FdTag::cgroup_v2:
        plan.cgroup_v2 = fds[i];
        break;
      case FdTag::cgroup_v1_tasks:
        plan.v1_tasks[plan.v1_count++] = fds[i];
        break;
      case FdTag::user_namespace:
        plan.user_namespace = fds[i];
        break;
      case FdTag::joined_namespace:
        joined[plan.joined_count++] = fds[i];
        break;
      case FdTag::slot:
        plan.fds[init::kFirstSlotFd + slots++] = fds[i];
        break;
      case FdTag::directory:
        process.directory.reset(std::exchange(fds[i], -1));
        break;
      case FdTag::exec_group:
        begin_supervision(process, std::exchange(fds[i], -1));
        plan.name = process.has(kExec) ? init::kSupervisorName : init::kForeignName;
        break;
      case FdTag::oom_events:
        arm_oom(process, std::exchange(fds[i], -1));
        break;
      default:
        return EINVAL;
    }
  }
  plan.fd_count = init::kFirstSlotFd + slots;
  if (plan_fd < 0 || plan.program < 0) return EINVAL;
  plan.joined = joined;
  if (plan.pid_namespace >= 0 && plan.new_pid) return EINVAL;
  if (plan.joined_count != 0 && plan.user_namespace < 0) return EINVAL;
  return !process.has(kExec) && !process.directory.valid() ? EINVAL : 0;
}

// The number it has in its own PID namespace: the last of NSpid in /proc/<pid>/status.
std::int64_t inner_pid(int pid) {
  char path[40];
  char* end = append_text(append_number(append_text(path, "/proc/"), pid), "/status");
  *end = '\0';
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  char text[2048];
  const ssize_t got = file.valid() ? ::read(file.get(), text, sizeof text - 1) : -1;
  if (got <= 0) return 0;
  text[got] = '\0';
  const char* line = std::strstr(text, "\nNSpid:");
  if (line == nullptr) return 0;
  std::int64_t number = 0;
  for (line += 7; *line != '\0' && *line != '\n'; ++line) {
    if (*line == '\t' || *line == ' ')
      number = 0;
    else
      number = number * 10 + (*line - '0');
  }
  return number;
}

// The connection that asked gets its answer and goes on: as a stream, or with its next request.
void answer(PodProcess& process, const Reply& reply) {
  for (Connection* client = process.clients; client != nullptr; client = client->next_client) {
    if (client->mode != Connection::Mode::launching) continue;
    const bool stream = reply.error == 0 && client->streams != 0;
    if (stream) {
      client->mode = Connection::Mode::streaming;
    } else {
      remove_client(*client);
      client->mode = Connection::Mode::requests;
      client->sends_stdin = false;
    }
    if (reply.error == 0 && process.has(kExec)) process.owner = client;
    send_reply(*client, reply);
    return update_connection(*client);
  }
}

void succeed(PodProcess& process) {
  if (!process.supervised()) loop::close_watch(process.report.watch);
  process.state = State::running;
  Reply reply = {};
  reply.op_index = init::kNoOp;
  reply.pid = process.info.pid;
  reply.process = process.info;
  if (process.has(kReportPids))
    reply.value = process.supervised() ? process.report.inner_pid : inner_pid(process.info.pid);
  answer(process, reply);
  start_streams(process);
}

// Init ends by itself; the record stays, nameless, until it is reaped, so that the name is free again at
// once.
void fail_launch(PodProcess& process, Stage stage, int error, std::uint32_t op_index) {
  loop::close_watch(process.report.watch);
  Reply reply = {};
  reply.error = error;
  reply.stage = stage;
  reply.op_index = op_index;
  answer(process, reply);
  if (process.pidfd.valid()) ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGKILL, nullptr, 0);
  close_streams(process);
  process.info.id[0] = '\0';
  // Others that waited for it (attach, wait) learn that there is no such process any more.
  while (process.clients != nullptr) {
    Connection& client = *process.clients;
    remove_client(client);
    if (client.mode == Connection::Mode::waiting) {
      client.mode = Connection::Mode::requests;
      reply = {};
      reply.error = ESRCH;
      send_reply(client, reply);
      update_connection(client);
    } else {
      break_connection(client);
    }
  }
  if (process.host_pid == 0) drop_process(process);
}

void report_ready(Watch* watch, std::uint32_t) {
  read_report(*reinterpret_cast<ReportWatch*>(watch)->process);
}

int open_launch(Connection& connection, const Launch& launch, PodProcess& process, int (&child_fds)[3],
                int& report, Reply& failure) {
  if (!process.has(kExec) && launch.log_enabled != 0) {
    const std::uint32_t files = launch.log_files > kMaxLogFiles ? kMaxLogFiles : launch.log_files;
    if (const int error = open_log(process.log, process.directory.get(), launch.log_size, files); error != 0)
      return failed(failure, Stage::log, error), error;
  }
  int error = open_streams(process, child_fds);
  // A program opens /dev/stdout anew, by the permissions of the pipe.
  for (const int fd : child_fds)
    if (error == 0 && fd >= 0 && process.has(kOwnStreams) && ::fchown(fd, launch.stream_owner, kNoGroup) != 0)
      error = errno;
  int pair[2] = {-1, -1};
  if (error == 0 && ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) error = errno;
  if (error == 0) {
    report = pair[1];
    const int on = 1;
    if (::setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) error = errno;
    process.report.process = &process;
    process.report.watch.fd = pair[0];
    process.report.watch.ready = report_ready;
    if (error == 0) error = loop::watch(process.report.watch, EPOLLIN);
  }
  if (error != 0) failed(failure, Stage::clone, error);
  connection.streams = launch.attach & (kAttachStdin | kAttachStdout | kAttachStderr);
  connection.sends_stdin = (launch.attach & kAttachStdin) != 0;
  return error;
}

}  // namespace

bool launch(Connection& connection, const Request& request, int* fds, Reply& failure) {
  const Launch& launch = request.payload.launch;
  if (find_process(launch.id) != nullptr) return failed(failure, Stage::request, EEXIST);
  if (process_count() >= kMaxProcesses) return failed(failure, Stage::request, EAGAIN);
  auto* process = make<PodProcess>();
  if (process == nullptr) return failed(failure, Stage::request, ENOMEM);
  std::memcpy(process->info.id, launch.id, sizeof launch.id);
  std::memcpy(process->info.container, launch.container, sizeof launch.container);
  process->info.flags = launch.flags;
  process->info.exit_code = -1;
  process->rows = launch.rows;
  process->columns = launch.columns;
  add_process(*process);

  int descriptors[init::kFirstSlotFd + kMaxFds];
  ChildPlan plan;
  plan.fds = descriptors;
  plan.new_pid = process->has(kNewPid);
  plan.limits = launch.limits;
  plan.limit_count = launch.limit_count;
  if (process->has(kOomScore)) plan.oom_score_adj = &launch.oom_score_adj;
  int plan_fd = -1;
  int child_fds[3] = {-1, -1, -1};
  int report = -1;
  int pidfd = -1;
  int joined[kMaxFds];
  int error = sort_descriptors(request, fds, *process, plan, joined, plan_fd);
  if (error != 0)
    failed(failure, Stage::request, error);
  else
    error = open_launch(connection, launch, *process, child_fds, report, failure);
  if (error == 0) {
    for (int i = 0; i < 3; ++i) plan.fds[i] = child_fds[i] >= 0 ? child_fds[i] : i;  // ours are /dev/null
    plan.fds[3] = report;
    plan.fds[4] = plan_fd;
    process->info.started = loop::realtime_ns();
    process->host_pid = process->info.pid = start_child(plan, pidfd);
    if (process->host_pid == 0) failed(failure, plan.stage, error = plan.error);
  }
  for (const int fd : child_fds)
    if (fd >= 0) ::close(fd);
  if (report >= 0) ::close(report);
  if (error != 0) {
    connection.streams = 0;
    connection.sends_stdin = false;
    drop_process(*process);
    return false;
  }
  (process->supervised() ? process->supervision.supervisor : process->pidfd).reset(pidfd);
  if (process->supervised() && launch.timeout_ms != 0) limit_time(*process, launch.timeout_ms);
  add_client(*process, connection, Connection::Mode::launching);
  return true;
}

bool read_report(PodProcess& process) {
  bool again = false;
  while (take_report(process, again)) {
  }
  const bool silent = !again || process.host_pid == 0;  // for ever
  if (process.state != State::starting) {
    if (silent) loop::close_watch(process.report.watch);  // a supervisor ends; how, its parent is told
    return true;
  }
  if (process.report.error != 0) {
    fail_launch(process, Stage::init, process.report.error, process.report.op_index);
    return false;
  }
  const bool executed = process.supervised() ? process.report.started : silent;
  if (!executed && !silent) return true;
  // The end without a failure is a successful exec; but not before `ready`, without which the process would
  // outlive us: init was killed.
  if (!executed || !process.report.ready) {
    fail_launch(process, Stage::init, process.has(kTimedOut) ? ETIMEDOUT : ECHILD, init::kNoOp);
    return false;
  }
  succeed(process);
  return true;
}

}  // namespace fermata::monitor
