// The network of a namespace that was just made.
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/socket.h>

#include <cerrno>

#include "init/perform.h"
#include "kernel/core/raw.h"

namespace fermata::init {

using kernel::raw::call;

// The kernel makes "lo" with every network namespace and leaves it down. Once up it has its addresses: nobody
// else needs to give it any.
int perform_raise_loopback() {
  // Any socket takes the requests of netdevice(7); this one needs no protocol of the internet's.
  const UniqueFd socket(static_cast<int>(call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
  if (!socket) return -socket.get();
  ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  if (const long error = call(SYS_ioctl, socket.get(), SIOCGIFFLAGS, &request); error < 0)
    return static_cast<int>(-error);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  const long error = call(SYS_ioctl, socket.get(), SIOCSIFFLAGS, &request);
  return error < 0 ? static_cast<int>(-error) : 0;
}

}  // namespace fermata::init
