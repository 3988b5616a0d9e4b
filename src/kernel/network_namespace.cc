#include "kernel/network_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <cstdlib>

#include "base/files.h"

namespace fermata::kernel {

Result<NetworkNamespaceVisit> NetworkNamespaceVisit::enter(int network_namespace) {
  TRY(UniqueFd home, open_file("/proc/thread-self/ns/net", O_RDONLY));
  if (::setns(network_namespace, CLONE_NEWNET) != 0) return fail(errno, "enter the pod's network namespace");
  return NetworkNamespaceVisit(std::move(home));
}

NetworkNamespaceVisit::~NetworkNamespaceVisit() {
  if (home_.get() >= 0 && ::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

}  // namespace fermata::kernel
