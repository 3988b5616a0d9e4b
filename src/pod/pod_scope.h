// A pod's control group under the systemd driver: one transient scope, divided by us below it. The pod's
// monitor is in it, in a group of its own, so that the scope lives exactly as long as the monitor, and
// systemd takes it away with it.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"
#include "kernel/cgroup.h"
#include "scope/keeper.h"

namespace fermata::pod {

class PodScope {
 public:
  static constexpr const char* kMonitorGroup = "/monitor";  // below it

  // Asks systemd for "<engine>-<pod>.scope". Until a monitor is in it a process of ours keeps the scope
  // alive; it ends with this.
  // `parent`: a slice or the path of its group; "": the slice of containers.
  static Result<PodScope> make(const kernel::CgroupMounts& mounts, const std::string& engine,
                               const std::string& pod, const std::string& parent);

  // Below the hierarchies.
  const std::string& path() const { return path_; }
  // The group in which the monitor is to be born.
  const kernel::Cgroup::Handles& monitor_group() const { return monitor_group_; }

 private:
  explicit PodScope(scope::Keeper keeper) : keeper_(std::move(keeper)) {}
  scope::Keeper keeper_;
  std::string path_;
  kernel::Cgroup::Handles monitor_group_;
};

// Whether a pod's group was made by systemd.
inline bool is_scope(const std::string& group) { return group.ends_with(".scope"); }
// Moves the commands that a monitor has started, of which this process may be one, out of its group: they
// have work to do after the pod. The monitor itself has ended. `path`: the scope's group.
Result<void> release_commands(const kernel::CgroupMounts& mounts, const std::string& path);
// For a scope that was empty while there were still groups of ours below it: has systemd end it, and removes
// what is left of it then.
Result<void> end_scope(const kernel::CgroupMounts& mounts, const std::string& path);

}  // namespace fermata::pod
