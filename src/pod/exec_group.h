// The cgroup of one exec session, below its container's: what is killed there is the command with all that it
// has started, and nothing else.
#pragma once

#include <optional>
#include <string>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "kernel/cgroup.h"
#include "runtime/launch_plan.h"

namespace fermata::pod {

struct ExecGroup {
  UniqueFd container;  // the directory in which it stands: of v2, else of v1's freezer
  UniqueFd directory;  // its own
  std::string name;
  bool freezer = false;
  std::vector<UniqueFd> v1_tasks;  // of the container's other groups: the session has none of its own there

  // Borrowed from this.
  runtime::ExecCgroup borrow() const;
  // Of a session that has not come to life. The monitor removes the others.
  void remove() const;
};

// Makes it. `container_path` as for kernel::Cgroup. nullopt: the host has neither a v2 tree nor v1's freezer.
Result<std::optional<ExecGroup>> make_exec_group(const kernel::CgroupMounts& mounts,
                                                 const std::string& container_path,
                                                 const std::string& session);

}  // namespace fermata::pod
