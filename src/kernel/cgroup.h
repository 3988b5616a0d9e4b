// Control groups, version 2, version 1 and hybrid (v1 controllers, with a v2 tree for kill and membership).
// cgroups(7). A group is named by one path below every hierarchy, such as "fermata/<pod>/ctrs/<id>".
//
// Tests pass their own mount points; nothing here looks at the machine except detect(). Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "kernel/cgroup_limits.h"
#include "kernel/cgroup_stats.h"

namespace fermata::kernel {

// Where the hierarchies are mounted.
struct CgroupMounts {
  std::string unified;  // the v2 mount, "" if there is none
  struct V1 {
    std::string controllers;  // "cpu,cpuacct", "name=systemd"
    std::string path;
  };
  std::vector<V1> v1;  // empty on a pure v2 host
  bool pure_v2() const { return v1.empty() && !unified.empty(); }
  // Reads /proc/self/mountinfo. Fails with ErrorKind::unsupported when there is no cgroup mount at all.
  static Result<CgroupMounts> detect();
  // The same, looked up once in the life of this process: for commands, which ask often and end soon. The
  // kernel words each line of that file anew, 0.1 ms on a host with little mounted.
  static Result<CgroupMounts> of_host();
  // The same from the text of a mountinfo file; proc_pid_mountinfo(5). Empty when it has no cgroup mount.
  static CgroupMounts parse(std::string_view mountinfo);
};

class Cgroup {
 public:
  // Makes the group and its parents in every hierarchy; an existing one is fine. On v2 the controllers that
  // exist are enabled in the parents' cgroup.subtree_control (best effort for each).
  static Result<Cgroup> create(const CgroupMounts& mounts, const std::string& path);
  // Whether it names a group below the root of the hierarchies, and leads nowhere else.
  static bool is_path(std::string_view path);
  // Of an existing group; absent hierarchies are skipped when it is used. The root is "": it can be entered,
  // but neither killed nor removed.
  static Cgroup open(const CgroupMounts& mounts, const std::string& path);

  const std::string& path() const { return path_; }
  // Sets what is given, also in a group that has members. A limit that the kernel or the delegation cannot
  // set is an error that names file and value; those before it stay set.
  Result<void> apply(const CgroupLimits& limits);

  // What a child needs to be born inside: on pure v2 only `v2` (CLONE_INTO_CGROUP). On a hybrid host BOTH
  // must be used: the v2 directory for membership and kill, and each v1 `tasks` for the controllers, to which
  // the child writes "0" while it has one thread.
  struct Handles {
    UniqueFd v2;
    std::vector<UniqueFd> v1_tasks;
  };
  Result<Handles> open_handles() const;
  // Moves a process (0: the caller) into it, in every hierarchy.
  Result<void> add_process(int pid) const;

  // Kills every member, descendants included: cgroup.kill (5.14), else freeze and pidfds over cgroup.procs.
  Result<void> kill_all() const;
  // Process ids of the group and of its descendants.
  Result<std::vector<int>> processes() const;
  // false: still populated at the deadline. That is an answer, not an error.
  Result<bool> wait_empty(std::chrono::milliseconds timeout) const;
  // Removes it and its descendants, which must be empty; retries EBUSY for some ms (a zombie's last
  // reference). Absent is success.
  Result<void> remove() const;
  bool exists() const;

  Result<void> freeze(bool frozen) const;
  // The directory whose file freezes it; "" without a freezer.
  std::string freezer_directory() const;
  // Whether all its members stand still, by its own freezer or by one above. false without a freezer.
  bool frozen() const;
  // How many processes the OOM killer took here: memory.events, memory.oom_control. 0 if unknown.
  std::uint64_t oom_kills() const;
  // A descriptor for the monitor's `oom_events`: v2 memory.events, v1 an armed eventfd. Invalid when there is
  // no memory controller.
  UniqueFd open_oom_events() const;
  // memory.current / usage_in_bytes; pids.current. nullopt without the controller.
  std::optional<std::uint64_t> memory_current() const;
  std::optional<std::uint64_t> pids_current() const;
  std::optional<std::uint64_t> cpu_usage_usec() const;
  // What is counted. ErrorKind::not_found when the group does not exist.
  Result<CgroupStats> stats(StatsDepth depth = StatsDepth::all) const;

 private:
  Cgroup(CgroupMounts mounts, std::string path) : mounts_(std::move(mounts)), path_(std::move(path)) {}
  Result<void> check_path() const;
  // This group's directory in the v2 tree; in the tree that has a controller, "" if none has.
  std::string unified_directory() const;
  std::string directory_of(std::string_view controller) const;
  bool is_v1(std::string_view controller) const;
  // Where processes are looked up and events awaited: the v2 tree, else one of v1.
  std::string membership_directory() const;
  Result<void> apply_memory(const CgroupLimits& limits) const;
  Result<void> apply_cpu(const CgroupLimits& limits) const;
  Result<void> apply_block(const CgroupLimits& limits) const;
  Result<void> apply_hugepages(const CgroupLimits& limits) const;
  Result<void> apply_rdma(const CgroupLimits& limits) const;
  Result<void> apply_network(const CgroupLimits& limits) const;
  Result<void> apply_unified(const CgroupLimits& limits) const;
  Result<void> apply_devices(const CgroupLimits& limits) const;

  CgroupMounts mounts_;
  std::string path_;
};

}  // namespace fermata::kernel
