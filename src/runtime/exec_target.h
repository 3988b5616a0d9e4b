// Which namespaces a running container has for itself.
#pragma once

#include <cstdint>

namespace fermata::runtime {

// CLONE_NEW* of the namespaces in which process `pid` differs from us, but for its PID namespace, which is
// entered by a clone. Of a process that has ended there are none, which plan_exec refuses; of another that
// has got its number the wrong ones, but then its pidfd can no longer be joined.
std::uint32_t namespaces_of(int pid);

}  // namespace fermata::runtime
