// Starting a pod's monitor: the one process that outlives whoever starts it.
#pragma once

#include <string>
#include <vector>

#include "kernel/cgroup.h"

namespace fermata::pod {

// The socket's path in a pod's run directory. sun_path holds 108 bytes and a run root may be longer, so it is
// reached through a descriptor of the directory.
inline constexpr char kMonitorSocket[] = "monitor.sock";

// Starts `program` with `event_command` for the pod whose (existing) directory this is, as a member of
// `group`. It listens when this returns and is no child of ours; a socket that a dead monitor left is
// replaced. The caller has made sure that no monitor lives there. May be called by any thread; the
// environment is passed on.
Result<void> spawn_monitor(const std::string& run_directory, const std::vector<std::string>& event_command,
                           const kernel::Cgroup::Handles& group, const std::string& program);

}  // namespace fermata::pod
