#include "monitor/server.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "monitor/memory.h"
#include "monitor/namespaces.h"
#include "monitor/process.h"
#include "monitor/relay.h"

namespace fermata::monitor {
namespace {

constexpr std::int64_t kAcceptPauseMs = 200;
// For clients to take the last output after `end`; the engine that asked for it waits for twice this. What a
// client that has stopped reading does not get is in the log.
constexpr std::int64_t kFarewellMs = 1000;

// A socket that is bound for the pod's life, so that nobody else takes its port.
struct HeldPort {
  HeldPort* next;
  int fd;
};

constinit Namespaces namespaces;
HeldPort* held_ports = nullptr;
constinit Watch listener;
constinit Watch signals;
constinit Timer accept_pause;
constinit Timer farewell;
bool ending = false;
bool waited_enough = false;

void reply_error(Connection& connection, int error, Stage stage = Stage::request) {
  Reply reply = {};
  reply.error = error;
  reply.stage = error != 0 ? stage : Stage::none;
  send_reply(connection, reply);
}

void handle_hello(Connection& connection) {
  Reply reply = {};
  reply.pid = ::getpid();
  reply.value = kProtocolVersion;
  send_reply(connection, reply);
}

void reply_namespaces(Connection& connection) {
  ReplyFds out;
  auto add = [&out](int fd, FdTag tag) {
    if (fd < 0) return;
    out.fds[out.count] = fd;
    out.tags[out.count++] = tag;
  };
  add(namespaces.net, FdTag::net_namespace);
  add(namespaces.ipc, FdTag::ipc_namespace);
  add(namespaces.uts, FdTag::uts_namespace);
  add(namespaces.mount, FdTag::mount_namespace);
  add(namespaces.user, FdTag::user_namespace);
  send_reply(connection, {}, &out);
}

void handle_setup(Connection& connection, const Request& request, int* fds) {
  UniqueFd user;
  if (request.fd_count > 1 || (request.fd_count == 1 && request.tags[0] != FdTag::user_namespace))
    return reply_error(connection, EINVAL);
  if (request.fd_count == 1) user.reset(std::exchange(fds[0], -1));
  if (const int error = make_namespaces(request.payload.setup, std::move(user), namespaces); error != 0)
    return reply_error(connection, error, Stage::namespaces);
  reply_namespaces(connection);
}

void handle_launch(Connection& connection, const Request& request, int* fds) {
  Reply failure = {};
  if (!launch(connection, request, fds, failure)) send_reply(connection, failure);
}

void handle_signal(Connection& connection, const Signal& signal) {
  const PodProcess* process = find_process(signal.id);
  // The descriptor, not the number: that may be another's by now.
  if (process == nullptr || !process->pidfd.valid()) return reply_error(connection, ESRCH);
  const long sent = ::syscall(SYS_pidfd_send_signal, process->pidfd.get(), signal.signal, nullptr, 0);
  reply_error(connection, sent == 0 ? 0 : errno);
}

void handle_resize(Connection& connection, const Resize& resize) {
  PodProcess* process = find_process(resize.id);
  reply_error(connection,
              process == nullptr ? ESRCH : resize_terminal(*process, resize.rows, resize.columns));
}

void handle_attach(Connection& connection, const Attach& attach) {
  PodProcess* process = find_process(attach.id);
  if (process == nullptr || process->state == State::ended) return reply_error(connection, ESRCH);
  const std::uint32_t streams = attach.streams & (kAttachStdin | kAttachStdout | kAttachStderr);
  if (streams == 0) return reply_error(connection, EINVAL);
  Reply reply = {};
  reply.pid = process->info.pid;
  reply.process = process->info;
  send_reply(connection, reply);
  connection.streams = streams;
  connection.sends_stdin = (streams & kAttachStdin) != 0;
  add_client(*process, connection, Connection::Mode::streaming);
}

void handle_wait(Connection& connection, const Wait& wait) {
  PodProcess* process = find_process(wait.id);
  if (process == nullptr) return reply_error(connection, ESRCH);
  if (process->state != State::ended) return add_client(*process, connection, Connection::Mode::waiting);
  Reply reply = {};
  reply.process = process->info;
  send_reply(connection, reply);
  if (process->has(kExec)) drop_process(*process);
}

void handle_list(Connection& connection) {
  // The request is done with its packet, so the list is put together in its place.
  auto* list = reinterpret_cast<Process*>(loop::input_scratch());
  static_assert(sizeof(Header) + sizeof(Reply) + kMaxProcesses * sizeof(Process) <= kMaxPacket);
  Reply reply = {};
  for (const PodProcess* process = first_process(); process != nullptr; process = process->next)
    if (process->info.id[0] != '\0') list[reply.value++] = process->info;
  send_reply(connection, reply, nullptr, list, static_cast<std::size_t>(reply.value) * sizeof(Process));
}

void handle_hold_ports(Connection& connection, const Request& request, int* fds) {
  const HoldPorts& ports = request.payload.hold_ports;
  std::uint32_t relays = 0;
  for (std::uint32_t i = 0; i < request.fd_count; ++i) relays += request.tags[i] == FdTag::relay ? 1 : 0;
  if (relays != ports.relay_count) return reply_error(connection, EINVAL);
  relays = 0;
  for (std::uint32_t i = 0; i < request.fd_count; ++i) {
    if (request.tags[i] == FdTag::relay) {
      const int error = open_relay(std::exchange(fds[i], -1), ports.target[relays++]);
      if (error != 0) return reply_error(connection, error);
    } else if (request.tags[i] == FdTag::port) {
      auto* held = make<HeldPort>();
      if (held == nullptr) return reply_error(connection, ENOMEM);
      *held = {.next = held_ports, .fd = std::exchange(fds[i], -1)};
      held_ports = held;
    }
  }
  reply_error(connection, 0);
}

void handle_reopen_log(Connection& connection, const Wait& which) {
  PodProcess* process = find_process(which.id);
  reply_error(connection, process == nullptr ? ESRCH : reopen_log(process->log));
}

void handle_forget(Connection& connection, const Wait& which) {
  PodProcess* process = find_process(which.id);
  if (process == nullptr) return reply_error(connection, 0);  // done already
  if (process->state != State::ended) return reply_error(connection, EBUSY);
  drop_process(*process);
  reply_error(connection, 0);
}

void handle_kill_group(Connection& connection, const Wait& which) {
  PodProcess* process = find_process(which.id);
  if (process == nullptr || process->host_pid == 0) return reply_error(connection, ESRCH);
  reply_error(connection, process->supervised() ? order_end(*process) : EOPNOTSUPP);
}

void handle_claim(Connection& connection, const Wait& which) {
  claim_ends(connection, which.id);
  reply_error(connection, 0);
}

void handle_settled(Connection& connection) {
  settle_ends(connection);
  reply_error(connection, 0);
}

void handle_end(Connection& connection) {
  if (any_process_runs()) return reply_error(connection, EBUSY);
  reply_error(connection, 0);
  ending = true;
}

void accept_again(Timer*) { loop::watch(listener, EPOLLIN); }

void listener_ready(Watch* watch, std::uint32_t) {
  const int fd = ::accept4(watch->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    open_connection(fd);
  } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
    // The client stays in the queue; asking again at once would only burn the processor.
    loop::unwatch(listener);
    accept_pause.expired = accept_again;
    loop::start(accept_pause, kAcceptPauseMs);
  }
}

void signal_ready(Watch* watch, std::uint32_t) {
  signalfd_siginfo info;
  bool asked_to_end = false;
  while (::read(watch->fd, &info, sizeof info) == sizeof info)
    if (info.ssi_signo != SIGCHLD) asked_to_end = true;
  reap_children();
  if (asked_to_end && !any_process_runs()) ending = true;
}

}  // namespace

void handle_request(Connection& connection, const Request& request, int* fds) {
  const Request::Payload& payload = request.payload;
  switch (request.type) {
    case Type::hello:
      return handle_hello(connection);
    case Type::setup:
      return handle_setup(connection, request, fds);
    case Type::launch:
      return handle_launch(connection, request, fds);
    case Type::signal:
      return handle_signal(connection, payload.signal);
    case Type::resize:
      return handle_resize(connection, payload.resize);
    case Type::attach:
      return handle_attach(connection, payload.attach);
    case Type::wait:
      return handle_wait(connection, payload.wait);
    case Type::list:
      return handle_list(connection);
    case Type::namespaces:
      return reply_namespaces(connection);
    case Type::hold_ports:
      return handle_hold_ports(connection, request, fds);
    case Type::reopen_log:
      return handle_reopen_log(connection, payload.wait);
    case Type::end:
      return handle_end(connection);
    case Type::forget:
      return handle_forget(connection, payload.wait);
    case Type::kill_group:
      return handle_kill_group(connection, payload.wait);
    case Type::claim_ends:
      return handle_claim(connection, payload.wait);
    case Type::ends_settled:
      return handle_settled(connection);
    default:
      return reply_error(connection, ENOSYS);
  }
}

int start_server(int listen_fd) {
  listener.fd = listen_fd;
  listener.ready = listener_ready;
  return loop::watch(listener, EPOLLIN);
}

int start_signals() {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT}) ::sigaddset(&wanted, number);
  signals.fd = ::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals.fd < 0) return errno;
  signals.ready = signal_ready;
  return loop::watch(signals, EPOLLIN);
}

void run_server() {
  while (!ending) loop::step();
  farewell.expired = [](Timer*) { waited_enough = true; };
  loop::start(farewell, kFarewellMs);
  while (output_waits() && !waited_enough) loop::step();
}

}  // namespace fermata::monitor
