#include "init/reporter.h"

#include "init/plan.h"
#include "kernel/core/packet.h"
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
  return -kernel::send_packet(socket_fd, &report, sizeof report, descriptor);
}

}  // namespace fermata::init
