#include "kernel/core/packet.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "kernel/core/raw.h"

namespace fermata::kernel {

int send_packet(int socket, const void* bytes, std::size_t size, int descriptor) {
  iovec part = {const_cast<void*>(bytes), size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message = {};
  message.msg_iov = &part;
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
  long sent;
  do sent = raw::call(SYS_sendmsg, socket, &message, MSG_NOSIGNAL);
  while (sent == -EINTR);
  return sent < 0 ? static_cast<int>(sent) : 0;
}

ReceivedPacket receive_packet(int socket, void* bytes, std::size_t size) {
  iovec part = {bytes, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ReceivedPacket received;
  do received.size = raw::call(SYS_recvmsg, socket, &message, MSG_CMSG_CLOEXEC);
  while (received.size == -EINTR);
  const cmsghdr* header = received.size >= 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(sizeof(int)))
    return received;
  int fd = -1;
  __builtin_memcpy(&fd, CMSG_DATA(header), sizeof fd);
  received.descriptor.reset(fd);
  return received;
}

}  // namespace fermata::kernel
