#include "monitor/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "monitor/memory.h"
#include "monitor/process.h"
#include "monitor/request.h"
#include "monitor/server.h"

namespace fermata::monitor {

struct Connection::Chunk {
  Chunk* next;
  Stream stream;
  std::uint32_t size;
  unsigned char* data() { return reinterpret_cast<unsigned char*>(this + 1); }
};

namespace {

constexpr std::uint32_t kKernelMaxFds = 253;  // SCM_MAX_FD: a client may send more than we want
constexpr std::size_t kBacklogLimit = 8u << 20;

constinit std::uint32_t with_backlog = 0;  // connections

struct Received {
  ssize_t size = 0;
  bool truncated = false;
  std::uint32_t fd_count = 0;
  int fds[kKernelMaxFds];
};

void close_all(const int* fds, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i)
    if (fds[i] >= 0) ::close(fds[i]);
}

// Into the scratch. size 0: the end; -1: errno.
void receive(Connection& connection, Received& received) {
  iovec part = {loop::input_scratch(), kMaxPacket};
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(kKernelMaxFds * sizeof(int))];
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  received.size = ::recvmsg(connection.watch.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received.size < 0) return;
  received.truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  for (cmsghdr* part_header = CMSG_FIRSTHDR(&message); part_header != nullptr;
       part_header = CMSG_NXTHDR(&message, part_header)) {
    if (part_header->cmsg_level != SOL_SOCKET || part_header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t bytes = part_header->cmsg_len - CMSG_LEN(0);
    const auto count = static_cast<std::uint32_t>(bytes / sizeof(int));
    std::memcpy(received.fds + received.fd_count, CMSG_DATA(part_header), count * sizeof(int));
    received.fd_count += count;
  }
}

void free_connection(Connection& connection) {
  forget_connection(connection);
  loop::close_watch(connection.watch);
  if (connection.first != nullptr) --with_backlog;
  while (connection.first != nullptr) {
    Connection::Chunk* chunk = connection.first;
    connection.first = chunk->next;
    std::free(chunk);
  }
  destroy(&connection);
}

// false: would block. Another error breaks the connection and counts as done.
bool put_packet(Connection& connection, Header& header, iovec* parts, std::size_t count,
                const ReplyFds* fds) {
  header.version = kProtocolVersion;
  parts[0] = {&header, sizeof header};
  for (std::size_t i = 1; i < count; ++i) header.size += static_cast<std::uint32_t>(parts[i].iov_len);
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof ReplyFds{}.fds)];
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  if (fds != nullptr && fds->count > 0) {
    header.fd_count = fds->count;
    std::memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds->count * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds->count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds->fds, fds->count * sizeof(int));
    std::memcpy(header.fd_tags, fds->tags, fds->count * sizeof(FdTag));
  }
  for (;;) {
    if (::sendmsg(connection.watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS) return false;
    break_connection(connection);
    return true;
  }
}

bool put_frame(Connection& connection, Stream stream, const void* data, std::size_t size) {
  Header header = {};
  header.type = Type::frame;
  Frame frame = {.stream = stream, .reserved = 0};
  iovec parts[3] = {{}, {&frame, sizeof frame}, {const_cast<void*>(data), size}};
  return put_packet(connection, header, parts, 3, nullptr);
}

void send_backlog(Connection& connection) {
  while (connection.first != nullptr && !connection.broken) {
    Connection::Chunk* chunk = connection.first;
    if (!put_frame(connection, chunk->stream, chunk->data(), chunk->size)) break;
    connection.first = chunk->next;
    if (connection.first == nullptr) {
      connection.last = nullptr;
      --with_backlog;
    }
    connection.backlog -= chunk->size;
    std::free(chunk);
  }
  if (connection.process != nullptr) update_flow(*connection.process);
}

// false: the connection is gone or must pause.
bool take_packet(Connection& connection) {
  Received received;
  receive(connection, received);
  if (received.size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (received.size <= 0) {
    free_connection(connection);
    return false;
  }
  Request request;
  int error = received.truncated
                  ? EMSGSIZE
                  : decode_request(loop::input_scratch(), static_cast<std::size_t>(received.size),
                                   received.fd_count, request);
  if (connection.mode == Connection::Mode::streaming) {
    if (error == 0 && request.type == Type::frame && received.fd_count == 0)
      take_frame(connection, request.payload.frame.stream, request.data, request.data_size);
    else
      break_connection(connection);
  } else if (error == 0 && request.type != Type::frame) {
    handle_request(connection, request, received.fds);
  } else {
    Reply reply = {};
    reply.error = error != 0 ? error : EPROTO;
    reply.stage = Stage::request;
    send_reply(connection, reply);
  }
  // Whoever handled it has taken the descriptors it keeps out of the list.
  close_all(received.fds, received.fd_count);
  return true;
}

void connection_ready(Watch* watch, std::uint32_t events) {
  auto& connection = *reinterpret_cast<Connection*>(watch);
  if (connection.broken || (events & EPOLLERR) != 0) return free_connection(connection);
  if ((events & EPOLLOUT) != 0) send_backlog(connection);
  if ((watch->events & EPOLLIN) != 0 && (events & (EPOLLIN | EPOLLHUP)) != 0) {
    if (!take_packet(connection)) return;
  } else if ((events & EPOLLHUP) != 0) {
    return free_connection(connection);
  }
  update_connection(connection);
}

}  // namespace

int open_connection(int fd) {
  auto* connection = make<Connection>();
  if (connection == nullptr) {
    ::close(fd);
    return ENOMEM;
  }
  connection->watch.ready = connection_ready;
  connection->watch.fd = fd;
  const int error = loop::watch(connection->watch, EPOLLIN);
  if (error != 0) free_connection(*connection);
  return error;
}

void send_reply(Connection& connection, const Reply& reply, const ReplyFds* fds, const void* more,
                std::size_t more_size) {
  if (connection.broken) return;
  Header header = {};
  header.type = Type::reply;
  iovec parts[3] = {{}, {const_cast<Reply*>(&reply), sizeof reply}, {const_cast<void*>(more), more_size}};
  if (!put_packet(connection, header, parts, more_size > 0 ? 3 : 2, fds)) break_connection(connection);
}

void send_frame(Connection& connection, Stream stream, const void* data, std::size_t size) {
  if (connection.broken) return;
  if (connection.first == nullptr && put_frame(connection, stream, data, size)) return;
  auto* chunk = static_cast<Connection::Chunk*>(std::malloc(sizeof(Connection::Chunk) + size));
  // It would miss output without knowing: better that it sees its connection end.
  if (chunk == nullptr || connection.backlog > kBacklogLimit) {
    std::free(chunk);
    return break_connection(connection);
  }
  *chunk = {.next = nullptr, .stream = stream, .size = static_cast<std::uint32_t>(size)};
  std::memcpy(chunk->data(), data, size);
  if (connection.first == nullptr) ++with_backlog;
  (connection.last != nullptr ? connection.last->next : connection.first) = chunk;
  connection.last = chunk;
  connection.backlog += size;
  update_connection(connection);
}

bool output_waits() { return with_backlog != 0; }

void update_connection(Connection& connection) {
  if (connection.broken) return;
  std::uint32_t events = 0;
  if (connection.mode == Connection::Mode::requests) events = EPOLLIN;
  if (connection.mode == Connection::Mode::streaming &&
      !(connection.sends_stdin && input_is_full(connection.process)))
    events = EPOLLIN;
  if (connection.first != nullptr) events |= EPOLLOUT;
  if (loop::watch(connection.watch, events) != 0) break_connection(connection);
}

void break_connection(Connection& connection) {
  if (connection.broken) return;
  connection.broken = true;
  // Both ends see the end; ours comes back through the loop, so that no caller loses the object in its hands.
  ::shutdown(connection.watch.fd, SHUT_RDWR);
}

}  // namespace fermata::monitor
