// From a RuntimeSpec to the plan of fermata-init: pure, no system call, no decision left for init.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "init/plan.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

// What to hand to the monitor. `slots` are borrowed descriptors of the spec, in init's order.
struct LaunchPlan {
  std::string bytes;  // init/plan.h
  std::vector<int> slots;
  std::vector<std::string> descriptions;  // per operation, for messages: "mount proc at '/proc'"
  std::vector<init::Op> ops;              // per operation
  std::vector<std::string> skipped;       // what was asked and left out, with the reason (a warning each)
  bool new_pid_namespace = false;         // to be made by the monitor (CLONE_NEWPID)
  int pid_namespace = -1;                 // or joined by it before the clone
  int user_namespace = -1;                // joined by the child first of all: it owns the others
  // What init repeats, for in a user namespace it may not raise a hard limit or lower the score: done by the
  // child before it joins. As far as it is allowed.
  std::vector<init::ResourceLimit> limits;
  std::optional<int> oom_score_adj;
  std::vector<int> joined_namespaces;  // joined before that one, for it need not own them
};

// The points of init::Op::synchronize.
inline constexpr std::uint32_t kMountsMade = 0, kEverythingMade = 1;

// How the first process is started, beside what its specification says.
struct StartOptions {
  bool follow_parent = true;  // it dies with its parent, the monitor
  bool new_keyring = true;
  bool pivot = true;  // false: the root is moved onto "/" (a root file system in memory cannot be pivoted)
  // Borrowed: a listening SOCK_SEQPACKET socket. Everything is made, then init waits for a connection before
  // it becomes the container's process. -1: it goes on at once.
  int start_socket = -1;
  // Init waits once (Report::waiting) when its namespaces and mounts are made, before it leaves the host's
  // file system: for hooks.
  bool synchronize = false;
  // And once more when everything is made, before it becomes the container's process: the second point.
  bool synchronize_start = false;
  int synchronize_socket = -1;      // borrowed: where it does so; -1: where its reports go
  std::uint32_t seccomp_flags = 0;  // SECCOMP_FILTER_FLAG_* of the filter (runtime/seccomp_cache.h)
  // Of the kernel or of us: kernel::own_bounding_set(). What a specification asks for beyond is left out.
  std::uint64_t grantable_capabilities = ~std::uint64_t{0};
  std::string program;         // the file to execute, instead of those that args[0] may stand for
  std::vector<int> preserved;  // borrowed; descriptors 3, 4, ... of the process
};
// The first process of a container. Descriptors that the specification names by path (namespaces) are in the
// fields of `spec` that are extensions.
Result<LaunchPlan> plan_container(const oci::RuntimeSpec& spec, const StartOptions& options = {});

// A cgroup of its own for another process in a running container. With one, fermata-init stays as its parent
// and can end all that it has started (init::Op::supervise). Borrowed descriptors.
struct ExecCgroup {
  int directory = -1;         // v2's; -1: no cgroup of its own
  bool freezer = false;       // it is v1's freezer, where there is no v2 tree
  std::vector<int> v1_tasks;  // `tasks` of the container's other v1 groups, which it enters besides
};
// Another process in a running one: joins what `pidfd_slot` (a pidfd of its first process; borrowed) has.
struct ExecTarget {
  int pidfd = -1;          // borrowed
  int pid_namespace = -1;  // borrowed: /proc/<pid>/ns/pid of the target, for the monitor
  int root = -1;           // unused slots are -1
  std::uint32_t namespaces =
      0;  // CLONE_NEW* to join through the pidfd: those in which it differs from the monitor
  ExecCgroup cgroup = {};
};
// Of `options`, what is about a root or a start does not apply.
Result<LaunchPlan> plan_exec(const oci::Process& process, const ExecTarget& target, int seccomp_program,
                             const StartOptions& options = {});

// A program of the host's in a container's namespaces, with all privileges: a createContainer hook.
Result<LaunchPlan> plan_hook(const oci::Hook& hook, const ExecTarget& target);

// How a failed operation reads to the user: exit code (126, 127, 125) and message, docker's words where
// docker has some: `exec: "foo": executable file not found in $PATH`, `exec: "/etc/passwd": permission
// denied`.
struct LaunchFailure {
  int exit_code;
  std::string message;
};
LaunchFailure explain_failure(const LaunchPlan& plan, const std::vector<std::string>& args,
                              std::uint32_t op_index, int error_number);

}  // namespace fermata::runtime
