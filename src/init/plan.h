// The plan of fermata-init: what turns a fresh child of the monitor into a container's process, as data.
//
// The engine computes it (runtime/plan_builder.h), the monitor passes it on unread, and init performs it,
// operation by operation, with no decision of its own. The first failure ends init; its index and errno
// travel back (init/report.h), so the engine can name the step.
//
// Layout (host byte order, one machine): PlanHeader, then `op_count` records. A record is an OpHeader, then
// `data_size` bytes of data padded to 8, then `string_count` NUL-terminated strings, padded to 8.
//
// Descriptors of init at its start: 0,1,2 the container's standard streams; 3 the report socket
// (SOCK_SEQPACKET); 4 the plan (a memfd or file, read by mmap); from 5 on the slots 0, 1, 2, ... Init makes
// all from 3 on close-on-exec before it does anything else.
#pragma once

#include <cstdint>

namespace fermata::init {

inline constexpr std::uint32_t kPlanMagic = 0x504d5246;  // "FRMP"
inline constexpr std::uint32_t kPlanVersion = 2;
inline constexpr char kSupervisorName[] = "fermata-exec";  // how it is seen in a container
inline constexpr char kForeignName[] = "fermata-foreign";  // how it is seen on the host
inline constexpr int kReportFd = 3;
inline constexpr int kPlanFd = 4;
inline constexpr int kFirstSlotFd = 5;

// "In the root" below means: resolved with openat2(RESOLVE_IN_ROOT) under the descriptor of `open_root`, so
// that no symlink of an image leads outside. s0, s1, ... are the record's strings.
enum class Op : std::uint16_t {
  join_namespace =
      1,           // slot: a namespace or a pidfd; flags: CLONE_NEW* (several at once with a pidfd). setns(2)
  unshare,         // flags: CLONE_NEW*
  set_hostname,    // s0
  set_domainname,  // s0
  write_kernel_file,  // s0: path in the current root; data: the value; flags: kOptional. For sysctls
  set_propagation,    // flags: MS_SLAVE|MS_REC, ...; applied to "/"
  change_directory,   // s0: path in the current root, outside a container's (the folder of layers)
  mount_root,         // s0: fstype, s1: source, s2: target (path of ours), s3: data; flags: MS_*
  attach_root,  // slot: a detached mount that becomes the root, attached at s0 (path of ours; over "/" it
                // needs none). From here on "in the root" is under the descriptor
  open_root,    // s0: path of ours; from here on "in the root" is under it
  mount,  // s0: source, s1: target in the root, s2: fstype, s3: data; flags: MS_*; a: Target; b: kOptional;
          // data: kernel::MountAttributes of the new mount, or nothing
  attach_mount,    // slot: a detached mount, s0: target in the root; a: Target
  remount,         // s0: target in the root; data: kernel::MountAttributes (kernel/core/mount_attributes.h)
  mask_path,       // s0 in the root: a file is covered by /dev/null, a directory by an empty read-only tmpfs;
                   // absent is fine
  readonly_path,   // s0 in the root: bind-mounted read-only on itself; absent is fine
  make_directory,  // s0 in the root, with parents; a: mode
  make_symlink,    // s0: what it points to, s1: path in the root
  make_node,       // s0 in the root; a: mode with S_IFMT; b: dev_t; data: uint32 uid, gid, or nothing (0, 0);
                   // flags: kHostNode
  pivot_root,      // enters the root and detaches the old one; "in the root" is "/" from here on.
                   // flags: kMoveRoot
  new_session,     // setsid(2)
  open_console,    // opens /dev/ptmx in the container, sends the master (Report::console), puts the slave on
                 // 0,1,2, makes it the controlling terminal and binds it at /dev/console; a: rows, b: columns
                 // (0: leave); flags: kNoConsoleBind for exec
  set_rlimit,  // a: RLIMIT_*; data: struct rlimit64; flags: kOptional (a hard limit that may not be raised)
  set_oom_score_adj,  // a: the value as int64; flags: kOptional
  set_credentials,    // data: Credentials, then group_count times uint32 gid; no files are made after it;
                      // flags: kKeepGroups
  set_no_new_privs,
  set_current_directory,    // s0 in the container; a: 1 makes it (with parents) when it is missing
  set_parent_death_signal,  // a: signal; then sends Report::ready, which fails when the monitor is gone
  load_seccomp,             // data: struct sock_filter[]; flags: SECCOMP_FILTER_FLAG_*; with NEW_LISTENER
                            // Report::listener takes the descriptor along
  execute,  // a: number of candidate paths, b: number of arguments; strings: candidates, argv, envp;
            // data: room for the pointers of argv and envp, each with a null pointer at its end.
            // The candidates are tried in turn: ENOENT and ENOTDIR go on; EACCES is remembered, goes on.
            // ELIBACC stands for the ENOENT of a file that is there: its interpreter is not
  new_session_keyring,  // an anonymous session keyring; else the container had its starter's. keyctl(2);
                        // flags: kOptional
  synchronize,  // a: which point; sends Report::waiting (op_index: a), goes on with one packet from the other
                // side: where reports go, or, with a slot, at the socket that it is
  check_program,  // strings: candidates as of execute; fails as execute would for a file that is missing or
                  // not executable. Run as root, it does not know what the user may execute
  await_start,  // slot: a listening SOCK_SEQPACKET socket. Sends Report::ready, waits for a connection, which
                // takes the report socket's place and gets a Report::ready first
  preserve_descriptors,  // a: how many slots, from `slot` on, become descriptors 3, 4, ... of the program.
                         // Only execute and what reports may follow
  enter_time_namespace,  // data: what goes to /proc/self/timens_offsets. time_namespaces(7)
  set_personality,       // a: personality(2)
  set_scheduler,         // data: SchedulerAttributes. sched_setattr(2)
  set_io_priority,       // a: ioprio_set(2), of this process
  set_cpu_affinity,      // data: the mask of sched_setaffinity(2); flags: kOptional
  set_memory_policy,     // a: the mode with its flags; data: the mask of nodes. set_mempolicy(2)
  raise_loopback,        // of the network namespace that we are in
  supervise,    // slot: the directory of a cgroup for the command alone, and in the `a` slots after it files
                // `tasks` of v1 groups that the command enters too; flags: kFreezer. A child goes on with the
                // plan; init stays as its parent and subreaper, sends Report::started, and ends with the
                // command's exit code, 128+n for signal n. A packet from the other side, or its end, makes it
                // kill all that the command has started first. No synchronize may follow
  become_root,  // user and group 0, with what they may in our user namespace; flags: kOptional
  run_foreign,  // slot: a listening socket that gets the terminal's master, -1: none. s0: a file of ours; s1: the
                // v2 cgroup that the process is to be in, "": none; then commands, each a list of words, ""
                // between them. The first leaves the process behind and its pid in s0, the others follow when
                // it is in its group. Init stays as its parent: as of supervise, but Report::ready has the
                // process's pid in its credentials
};

inline constexpr std::uint32_t kOptional = 1;       // a failure is not an error (flags of some operations)
inline constexpr std::uint32_t kNoConsoleBind = 2;  // of open_console
// Of make_node: the host's own node of that path, if it is that device, is bound there. In a user namespace
// no device that was made could be opened.
inline constexpr std::uint32_t kHostNode = 4;
// Of pivot_root: the root is moved onto "/" instead, for a host that runs from its initramfs cannot be
// pivoted.
inline constexpr std::uint32_t kMoveRoot = 8;
// Of set_credentials: where setgroups(2) is denied to the user namespace, the groups stay.
inline constexpr std::uint32_t kKeepGroups = 16;
// Of supervise: the group is of v1's freezer, for there is no v2 tree.
inline constexpr std::uint32_t kFreezer = 32;

// What a mount needs to find at its target.
enum class Target : std::uint64_t { existing = 0, directory = 1, file = 2 };

struct PlanHeader {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t size;  // of the whole plan, bytes
  std::uint32_t op_count;
};

struct OpHeader {
  std::uint32_t size;  // of the whole record, a multiple of 8
  std::uint16_t op;
  std::uint16_t string_count;
  std::int32_t slot;  // -1: none
  std::uint32_t flags;
  std::uint64_t a;
  std::uint64_t b;
  std::uint32_t data_size;
  std::uint32_t strings_size;  // all strings with their NULs, unpadded
};
static_assert(sizeof(PlanHeader) == 16 && sizeof(OpHeader) == 40);

// setrlimit(2), as whoever starts init can do it.
struct ResourceLimit {
  std::uint32_t resource;  // RLIMIT_*
  std::uint64_t soft, hard;
};

// struct sched_attr as of Linux 3.14, whose header (linux/sched/types.h) clashes with libc's.
struct SchedulerAttributes {
  std::uint32_t size;  // of this
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;  // ns
};

// Capability sets are bit masks by capability number; capabilities(7).
struct Credentials {
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t umask;  // 0xffffffff: leave
  std::uint32_t group_count;
  std::uint64_t bounding;
  std::uint64_t effective;
  std::uint64_t permitted;
  std::uint64_t inheritable;
  std::uint64_t ambient;
};

}  // namespace fermata::init
