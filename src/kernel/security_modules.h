// Which security modules label processes on this host.
#pragma once

namespace fermata::kernel {

bool apparmor_enabled();
bool selinux_enabled();

}  // namespace fermata::kernel
