#include "init/reporter.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "init/plan.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

int socket_fd = kReportFd;

}  // namespace

int report_socket() { return socket_fd; }

void use_report_socket(int fd) {
  kernel::raw::call(SYS_close, socket_fd);
  socket_fd = fd;
}

int send_report(const Report& report, int descriptor) {
  iovec bytes = {const_cast<Report*>(&report), sizeof report};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    __builtin_memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  const long sent = kernel::raw::call(SYS_sendmsg, socket_fd, &message, MSG_NOSIGNAL);
  return sent < 0 ? static_cast<int>(-sent) : 0;
}

}  // namespace fermata::init
