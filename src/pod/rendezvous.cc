#include "pod/rendezvous.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "init/report.h"

namespace fermata::pod {
namespace {

struct Arrival {
  init::Report report = {};
  int pid = 0;
};

// The kernel says who has sent it, in our numbers; unix(7), SCM_CREDENTIALS.
Result<Arrival> receive_arrival(int socket) {
  Arrival arrival;
  iovec part = {&arrival.report, sizeof arrival.report};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got;
  do got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail(errno, "hear from fermata-init");
  const cmsghdr* const from = CMSG_FIRSTHDR(&message);
  if (got != sizeof arrival.report || arrival.report.kind != init::ReportKind::waiting || from == nullptr ||
      from->cmsg_level != SOL_SOCKET || from->cmsg_type != SCM_CREDENTIALS)
    return fail(EBADMSG, "hear from fermata-init");
  ucred sender = {};
  std::memcpy(&sender, CMSG_DATA(from), sizeof sender);
  arrival.pid = sender.pid;
  return arrival;
}

}  // namespace

Result<Rendezvous> Rendezvous::make(Act act) {
  int pair[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return fail(errno, "make a socket");
  Rendezvous made(UniqueFd{pair[0]}, UniqueFd{pair[1]}, std::move(act));
  const int yes = 1;
  if (::setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0)
    return fail(errno, "ask for a socket's credentials");
  return made;
}

Result<void> Rendezvous::meet() {
  TRY(const Arrival arrival, receive_arrival(near_.get()));
  TRY(act_(arrival.report.op_index, arrival.pid));
  const char byte = 1;
  // EPIPE: it was killed meanwhile, and the monitor tells.
  if (::send(near_.get(), &byte, sizeof byte, MSG_NOSIGNAL) < 0 && errno != EPIPE)
    return fail(errno, "let fermata-init go on");
  return {};
}

Result<void> Rendezvous::serve(int answer) {
  for (;;) {
    std::array<pollfd, 2> ready = {{{.fd = answer, .events = POLLIN, .revents = 0},
                                    {.fd = near_.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail(errno, "wait for fermata-init");
    }
    if (ready[0].revents != 0) return {};
    if (auto met = meet(); !met) {
      // The end of the socket is init's.
      near_.reset();
      far_.reset();
      return met;
    }
  }
}

}  // namespace fermata::pod
