#include "pod/monitor_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "kernel/pidfd.h"
#include "pod/monitor_process.h"
#include "pod/monitor_session.h"

namespace fermata::pod {

using monitor::FdTag;
using monitor::Header;
using monitor::Reply;
using monitor::Type;

// A request on its way.
struct MonitorClient::Packet {
  Type type = Type::hello;
  const void* payload = nullptr;
  std::size_t size = 0;
  std::vector<int> fds;
  std::vector<FdTag> tags;
  std::uint32_t version = 1;  // the first that has it

  void add(int fd, FdTag tag) {
    if (fd < 0) return;
    fds.push_back(fd);
    tags.push_back(tag);
  }
};

struct MonitorClient::Answer {
  Reply reply = {};
  std::string more;  // after the Reply
  std::vector<UniqueFd> fds;
  std::vector<FdTag> tags;
};

namespace {

template <std::size_t size>
Result<void> copy_id(char (&out)[size], const std::string& id) {
  if (id.empty() || id.size() >= size)
    return fail(ErrorKind::invalid_argument, "'{}' is no id of a process", id);
  std::memcpy(out, id.data(), id.size());
  return {};
}

std::uint32_t stream_bits(const StreamSelection& streams) {
  return (streams.stdin_ ? monitor::kAttachStdin : 0) | (streams.stdout_ ? monitor::kAttachStdout : 0) |
         (streams.stderr_ ? monitor::kAttachStderr : 0);
}

// What a process in a user namespace cannot do for itself.
Result<void> add_host_side(const LaunchRequest& request, monitor::Launch& launch) {
  if (request.stream_owner) {
    launch.flags |= monitor::kOwnStreams;
    launch.stream_owner = *request.stream_owner;
  }
  if (request.oom_score_adj) {
    launch.flags |= monitor::kOomScore;
    launch.oom_score_adj = *request.oom_score_adj;
  }
  if (request.limits.size() > monitor::kMaxLimits)
    return fail(ErrorKind::invalid_argument, "launch: {} resource limits are more than there are",
                request.limits.size());
  std::copy(request.limits.begin(), request.limits.end(), launch.limits);
  launch.limit_count = static_cast<std::uint32_t>(request.limits.size());
  return {};
}

// The usual causes, by unshare(2), and the way out.
std::string_view namespaces_hint(int error) {
  switch (error) {
    case EPERM:
      return "CAP_SYS_ADMIN is needed: inside a container, start that one with --privileged";
    case EINVAL:
    case ENOSYS:
      return "the kernel needs CONFIG_NET_NS, CONFIG_IPC_NS, CONFIG_UTS_NS and CONFIG_PID_NS";
    case ENOSPC:
      return "raise the limits in /proc/sys/user/max_*_namespaces";
    default:
      return {};
  }
}

}  // namespace

Result<std::optional<MonitorClient>> MonitorClient::connect(const std::string& run_directory) {
  const UniqueFd directory(::open(run_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    if (errno == ENOENT) return std::nullopt;
    return fail(errno, "open '{}'", run_directory);
  }
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno, "make a socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  *fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/{}", directory.get(),
                    kMonitorSocket)
       .out = '\0';
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno == ECONNREFUSED || errno == ENOENT) return std::nullopt;
    return fail(errno, "connect to '{}/{}'", run_directory, kMonitorSocket);
  }
  return MonitorClient(std::move(socket));
}

Result<void> MonitorClient::send(const Packet& packet, const char* what) {
  if (!socket_) return fail(ErrorKind::failed, "{}: the connection to the monitor has become a stream", what);
  if (packet.fds.size() > monitor::kMaxFds)
    return fail(ErrorKind::invalid_argument, "{}: {} descriptors are more than the monitor takes ({})", what,
                packet.fds.size(), monitor::kMaxFds);
  Header header = {};
  header.version = packet.version;
  header.type = packet.type;
  header.size = static_cast<std::uint32_t>(packet.size);
  header.fd_count = static_cast<std::uint32_t>(packet.fds.size());
  std::copy(packet.tags.begin(), packet.tags.end(), header.fd_tags);
  std::array<iovec, 2> parts = {{{&header, sizeof header}, {const_cast<void*>(packet.payload), packet.size}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(monitor::kMaxFds * sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (!packet.fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(packet.fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(packet.fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), packet.fds.data(), packet.fds.size() * sizeof(int));
  }
  while (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) < 0)
    if (errno != EINTR) return fail(errno, "{}: ask the monitor", what);
  return {};
}

Result<MonitorClient::Answer> MonitorClient::receive(Type type, const char* what) {
  Answer answer;
  answer.more.resize(type == Type::list ? monitor::kMaxPacket : 0);
  Header header = {};
  std::array<iovec, 3> parts = {{{&header, sizeof header},
                                 {&answer.reply, sizeof answer.reply},
                                 {answer.more.data(), answer.more.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(monitor::kMaxFds * sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail(errno, "{}: hear from the monitor", what);
  const cmsghdr* rights = message.msg_controllen > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(rights) + i * sizeof fd, sizeof fd);
      answer.fds.emplace_back(fd);
      answer.tags.push_back(header.fd_tags[i]);
    }
  }
  if (got == 0) return fail(ECONNRESET, "{}: the monitor has gone", what);
  const std::size_t fixed = sizeof header + sizeof answer.reply;
  if (static_cast<std::size_t>(got) < fixed || header.type != Type::reply)
    return fail(EPROTO, "{}: hear from the monitor", what);
  answer.more.resize(static_cast<std::size_t>(got) - fixed);
  return answer;
}

Result<MonitorClient::Answer> MonitorClient::ask(const Packet& packet, const char* what) {
  TRY(send(packet, what));
  return receive(packet.type, what);
}

Result<MonitorClient::Answer> MonitorClient::receive_success(Type asked, const char* what) {
  TRY(auto answer, receive(asked, what));
  if (answer.reply.error != 0) return fail(answer.reply.error, "{}", what);
  return answer;
}

Result<MonitorClient::Answer> MonitorClient::demand(const Packet& packet, const char* what) {
  TRY(send(packet, what));
  return receive_success(packet.type, what);
}

Result<PodNamespaces> MonitorClient::receive_namespaces(Type asked, const char* what) {
  TRY(auto answer, receive_success(asked, what));
  PodNamespaces namespaces;
  for (std::size_t i = 0; i < answer.fds.size(); ++i) {
    switch (answer.tags[i]) {
      case FdTag::net_namespace:
        namespaces.net = std::move(answer.fds[i]);
        break;
      case FdTag::ipc_namespace:
        namespaces.ipc = std::move(answer.fds[i]);
        break;
      case FdTag::uts_namespace:
        namespaces.uts = std::move(answer.fds[i]);
        break;
      case FdTag::mount_namespace:
        namespaces.mount = std::move(answer.fds[i]);
        break;
      case FdTag::user_namespace:
        namespaces.user = std::move(answer.fds[i]);
        break;
      default:
        break;  // of a newer monitor
    }
  }
  return namespaces;
}

Result<std::uint32_t> MonitorClient::hello() {
  TRY(const auto answer, demand({.type = Type::hello}, "greet the monitor"));
  return static_cast<std::uint32_t>(answer.reply.value);
}

// Asked, not read from SO_PEERCRED: that tells who called listen(2), which was the engine.
Result<int> MonitorClient::monitor_pid() {
  TRY(const auto answer, demand({.type = Type::hello}, "greet the monitor"));
  return answer.reply.pid;
}

Result<UniqueFd> MonitorClient::open_pidfd() {
  TRY(const int pid, monitor_pid());
  UniqueFd pidfd = kernel::open_pidfd(pid);
  if (!pidfd) return fail(errno, "open monitor {}", pid);
  // It still answers, so the number was its own when it was opened.
  TRY(const int again, monitor_pid());
  if (again != pid) return fail(ErrorKind::failed, "monitor {} says it is {}", pid, again);
  return pidfd;
}

Result<PodNamespaces> MonitorClient::setup(std::uint32_t namespaces, std::uint64_t shm_size,
                                           const std::string& hostname, int user_namespace,
                                           const std::function<Result<void>()>& meanwhile) {
  monitor::Setup setup = {};
  setup.flags = namespaces;
  setup.shm_size = shm_size;
  if (hostname.size() >= sizeof setup.hostname)
    return fail(ErrorKind::invalid_argument, "hostname '{}' is longer than {} characters", hostname,
                sizeof setup.hostname - 1);
  std::memcpy(setup.hostname, hostname.data(), hostname.size());
  Packet packet{.type = Type::setup, .payload = &setup, .size = sizeof setup};
  packet.add(user_namespace, FdTag::user_namespace);
  if (user_namespace >= 0) packet.version = 3;
  constexpr const char* kWhat = "make the pod's namespaces";
  TRY(send(packet, kWhat));
  const auto done = meanwhile();
  auto made = receive_namespaces(Type::setup, kWhat);
  if (made && !done) return tl::unexpected(done.error());
  if (made) return made;
  const std::string_view hint = namespaces_hint(made.error().error_number());
  if (hint.empty()) return made;
  return fail(made.error().kind(), "{} ({})", made.error().message(), hint);
}

Result<PodNamespaces> MonitorClient::namespaces() {
  constexpr const char* kWhat = "get the pod's namespaces";
  TRY(send({.type = Type::namespaces}, kWhat));
  return receive_namespaces(Type::namespaces, kWhat);
}

Result<LaunchOutcome> MonitorClient::launch(const LaunchRequest& request, const StreamSelection& streams) {
  monitor::Launch launch = {};
  TRY(copy_id(launch.id, request.id));
  TRY(copy_id(launch.container, request.container));
  launch.flags = request.flags;
  launch.attach = stream_bits(streams);
  launch.log_size = request.log_size;
  launch.log_files = request.log_files;
  launch.log_enabled = request.log_enabled ? 1 : 0;
  launch.rows = streams.rows;
  launch.columns = streams.columns;
  launch.timeout_ms = request.timeout_ms;
  TRY(add_host_side(request, launch));
  TRY(const UniqueFd plan, memory_file("plan", request.plan));
  Packet packet{.type = Type::launch, .payload = &launch, .size = sizeof launch};
  packet.add(plan.get(), FdTag::plan);
  packet.add(request.init_program, FdTag::init_program);
  packet.add(request.pid_namespace, FdTag::pid_namespace);
  packet.add(request.directory, FdTag::directory);
  packet.add(request.oom_events, FdTag::oom_events);
  packet.add(request.exec_group, FdTag::exec_group);
  if (request.exec_group >= 0) packet.version = (request.flags & monitor::kExec) != 0 ? 2 : 4;
  packet.add(request.user_namespace, FdTag::user_namespace);
  for (const int joined : request.joined_namespaces) packet.add(joined, FdTag::joined_namespace);
  if (request.user_namespace >= 0 || request.stream_owner) packet.version = std::max(packet.version, 3u);
  packet.add(request.group.v2.get(), FdTag::cgroup_v2);
  for (const UniqueFd& procs : request.group.v1_tasks) packet.add(procs.get(), FdTag::cgroup_v1_tasks);
  for (const int slot : request.slots) {
    if (slot < 0) return fail(ErrorKind::invalid_argument, "launch: a slot of the plan has no descriptor");
    packet.add(slot, FdTag::slot);
  }
  TRY(send(packet, "launch"));
  const auto acted =
      request.rendezvous == nullptr ? Result<void>() : request.rendezvous->serve(socket_.get());
  TRY(auto answer, receive(packet.type, "launch"));
  if (!acted) return tl::unexpected(acted.error());
  LaunchOutcome outcome{.reply = answer.reply, .session = nullptr};
  if (answer.reply.error == 0 && launch.attach != 0)
    outcome.session = make_monitor_session(std::move(socket_));
  return outcome;
}

Result<void> MonitorClient::signal(const std::string& id, int signal) {
  monitor::Signal payload = {};
  TRY(copy_id(payload.id, id));
  payload.signal = signal;
  TRY(demand({.type = Type::signal, .payload = &payload, .size = sizeof payload}, "send a signal"));
  return {};
}

Result<void> MonitorClient::kill_group(const std::string& id) {
  monitor::Wait payload = {};
  TRY(copy_id(payload.id, id));
  TRY(demand({.type = Type::kill_group, .payload = &payload, .size = sizeof payload, .version = 2},
             "kill the process's group"));
  return {};
}

Result<void> MonitorClient::resize(const std::string& id, std::uint32_t rows, std::uint32_t columns) {
  monitor::Resize payload = {};
  TRY(copy_id(payload.id, id));
  payload.rows = rows;
  payload.columns = columns;
  TRY(demand({.type = Type::resize, .payload = &payload, .size = sizeof payload}, "resize the terminal"));
  return {};
}

Result<std::vector<monitor::Process>> MonitorClient::list() {
  TRY(const auto answer, demand({.type = Type::list}, "list the pod's processes"));
  std::vector<monitor::Process> processes(answer.more.size() / sizeof(monitor::Process));
  std::memcpy(processes.data(), answer.more.data(), processes.size() * sizeof(monitor::Process));
  return processes;
}

Result<monitor::Process> MonitorClient::wait_killed(const std::string& id,
                                                    std::chrono::milliseconds patience) {
  const timeval limit = {.tv_sec = patience.count() / 1000, .tv_usec = patience.count() % 1000 * 1000};
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
    return fail(errno, "wait");
  auto ended = wait(id);
  if (!ended && ended.error().error_number() == EAGAIN) {
    socket_.reset();  // the answer may still come, and would be taken for another's
    return fail(ErrorKind::unavailable, "{} does not end after SIGKILL: a process of it hangs in the kernel",
                id);
  }
  const timeval for_ever = {};
  if (socket_ && ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof for_ever) != 0)
    return fail(errno, "wait");
  return ended;
}

Result<monitor::Process> MonitorClient::wait(const std::string& id) {
  monitor::Wait payload = {};
  TRY(copy_id(payload.id, id));
  TRY(const auto answer, demand({.type = Type::wait, .payload = &payload, .size = sizeof payload}, "wait"));
  return answer.reply.process;
}

Result<void> MonitorClient::hold_ports(const std::vector<UniqueFd>& held, const std::vector<UniqueFd>& relays,
                                       const std::vector<monitor::RelayTarget>& targets) {
  if (relays.size() != targets.size())
    return fail(ErrorKind::invalid_argument, "hold ports: {} relays have {} targets", relays.size(),
                targets.size());
  constexpr std::size_t kMaxRelays = std::extent_v<decltype(monitor::HoldPorts::target)>;
  // A range of ports may be more than one packet carries.
  std::size_t next_held = 0, next_relay = 0;
  do {
    auto payload = std::make_unique<monitor::HoldPorts>();
    Packet packet{.type = Type::hold_ports, .payload = payload.get(), .size = sizeof *payload};
    for (; next_relay < relays.size() && payload->relay_count < kMaxRelays; ++next_relay) {
      payload->target[payload->relay_count++] = targets[next_relay];
      packet.add(relays[next_relay].get(), FdTag::relay);
    }
    for (; next_held < held.size() && packet.fds.size() < monitor::kMaxFds; ++next_held)
      packet.add(held[next_held].get(), FdTag::port);
    TRY(demand(packet, "hold the published ports"));
  } while (next_held < held.size() || next_relay < relays.size());
  return {};
}

Result<void> MonitorClient::reopen_log(const std::string& id) {
  monitor::Wait payload = {};
  TRY(copy_id(payload.id, id));
  TRY(demand({.type = Type::reopen_log, .payload = &payload, .size = sizeof payload}, "reopen the log"));
  return {};
}

Result<void> MonitorClient::end() {
  TRY(demand({.type = Type::end}, "end the monitor"));
  return {};
}

Result<void> MonitorClient::claim_ends(const std::string& id) {
  monitor::Wait payload = {};
  if (!id.empty()) TRY(copy_id(payload.id, id));
  TRY(demand({.type = Type::claim_ends, .payload = &payload, .size = sizeof payload, .version = 5},
             "claim ends"));
  return {};
}

Result<void> MonitorClient::ends_settled() {
  TRY(demand({.type = Type::ends_settled, .version = 5}, "settle ends"));
  return {};
}

Result<void> MonitorClient::forget(const std::string& id) {
  monitor::Wait payload = {};
  TRY(copy_id(payload.id, id));
  TRY(demand({.type = Type::forget, .payload = &payload, .size = sizeof payload}, "forget a process"));
  return {};
}

Result<std::unique_ptr<Session>> MonitorClient::attach(const std::string& id,
                                                       const StreamSelection& streams) && {
  monitor::Attach payload = {};
  TRY(copy_id(payload.id, id));
  payload.streams = stream_bits(streams);
  TRY(demand({.type = Type::attach, .payload = &payload, .size = sizeof payload}, "attach"));
  return make_monitor_session(std::move(socket_));
}

}  // namespace fermata::pod
