// What fermata-init says (init/report.h), as it comes in.
#include "init/report.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "monitor/process.h"

namespace fermata::monitor {
namespace {

struct Sender {
  int fd = -1;   // that it sent, ours now
  int pid = -1;  // in our PID namespace, which the kernel has told
};

Sender sender_of(msghdr& message) {
  Sender sender;
  for (const cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(part))) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_RIGHTS && part->cmsg_len >= CMSG_LEN(sizeof sender.fd)) {
      std::memcpy(&sender.fd, CMSG_DATA(part), sizeof sender.fd);
    } else if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
      sender.pid = credentials.pid;
    }
  }
  return sender;
}

// The report's descriptor goes to who wants it.
void place_descriptor(PodProcess& process, init::ReportKind kind, int fd) {
  if (kind == init::ReportKind::console) return take_console(process, fd);
  UniqueFd owned(fd);
  if (kind == init::ReportKind::started && process.supervised()) process.pidfd = std::move(owned);
}

}  // namespace

bool take_report(PodProcess& process, bool& again) {
  init::Report report = {};
  iovec part = {&report, sizeof report};
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(process.report.watch.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && errno == EINTR) return true;
  again = got < 0 && errno == EAGAIN;
  if (got <= 0) return false;
  const Sender sender = sender_of(message);
  if (got != sizeof report) report = {};
  if (sender.fd >= 0) place_descriptor(process, report.kind, sender.fd);
  if (report.kind == init::ReportKind::ready) {
    process.report.ready = true;
    if (sender.pid > 0) process.info.pid = sender.pid;  // the command's, not its supervisor's
  }
  if (report.kind == init::ReportKind::started) {
    process.report.started = true;
    process.report.inner_pid = static_cast<std::int32_t>(report.op_index);
  }
  if (report.kind == init::ReportKind::failed) {
    process.report.error = report.error != 0 ? report.error : EIO;
    process.report.op_index = report.op_index;
  }
  return true;
}

}  // namespace fermata::monitor
