// The protocol between the engine and fermata-monitor, one monitor a pod.
//
// Transport: AF_UNIX SOCK_SEQPACKET at <pod run directory>/monitor.sock. Every packet is a Header and then
// the payload that its type names; descriptors travel beside it (SCM_RIGHTS), each with a tag in
// Header::fd_tags. Host byte order. A newer engine must serve the monitors it finds: types and fields are
// only ever added, `version` says up to which.
//
// The monitor itself is started by the engine as
//     fermata-monitor EVENT-COMMAND...          (descriptor 3: the listening socket)
// in a cgroup of Fermata's own. It starts EVENT-COMMAND (in the host's mount namespace, standard streams on
// /dev/null) after an infra process has ended, after a process with kNotifyExit has ended, and after the last
// process has ended; one at a time: what happens meanwhile leads to one more run. Not so while a client is
// there that has claimed the end, and does itself what follows from it. It never ends by itself
// except on `end`, so a crash of the event command leaks a monitor that the next command's reconciliation
// finds.
//
// Every request gets exactly one Reply, in order. `launch` with attach streams, and `attach`, turn the
// connection into a stream of Frames after their Reply; `wait` replies when the process has ended.
#pragma once

#include <cstdint>

#include "init/plan.h"

namespace fermata::monitor {

// What a monitor of this tree speaks, by Reply::value of `hello`. Version 2: kill_group, and a launch with
// exec_group. Version 3: user namespaces. Version 4: exec_group without kExec. Version 5: claim_ends,
// ends_settled. A Header carries the first version that has what its packet asks for.
inline constexpr std::uint32_t kProtocolVersion = 5;
inline constexpr int kListenFd = 3;
inline constexpr std::uint32_t kMaxPacket = 96 * 1024;
inline constexpr std::uint32_t kMaxFds = 200;    // the kernel's SCM_MAX_FD is 253
inline constexpr std::uint32_t kIdSize = 72;     // 64 digits and a NUL, padded
inline constexpr std::uint32_t kMaxLimits = 16;  // RLIM_NLIMITS

enum class Type : std::uint32_t {
  hello = 1,   // payload: none. Reply::value: the monitor's version; Reply::pid its pid
  setup,       // payload: Setup; beside it perhaps the user namespace that is to own the others. Reply with
               // one tagged descriptor per namespace
  launch,      // payload: Launch
  signal,      // payload: Signal
  resize,      // payload: Resize
  attach,      // payload: Attach
  wait,        // payload: Wait; replies at the process's end, at once if it has ended
  list,        // payload: none; the Reply is followed, in the same packet, by Reply::value times Process
  namespaces,  // payload: none; Reply with the namespaces' descriptors again
  hold_ports,  // payload: HoldPorts; descriptors tagged `port` are kept bound, `relay` are served
  reopen_log,  // payload: Wait (the id)
  end,         // payload: none; refused with EBUSY while a process runs. The monitor replies, then exits
  forget,      // payload: Wait (the id): drops the record of an ended process
  kill_group,  // payload: Wait (the id) of a launch with exec_group: kills it with all that it has started,
               // which ends as if it were killed. Replies before that; EOPNOTSUPP: it has no such group
  claim_ends,  // payload: Wait (the id; "": of all that run). The client sees to what follows from the end of
               // what nobody else has claimed. If it goes away before it has said so, the event command does
  ends_settled,  // payload: none: it has. Nothing is claimed by it any more
  reply = 100,
  frame,  // payload: Frame, then data
};

enum class FdTag : std::uint8_t {
  none = 0,
  plan,             // launch: the plan of init (init/plan.h)
  init_program,     // launch: fermata-init, or what stands for it
  pid_namespace,    // launch: the child is made in it (setns before clone)
  cgroup_v2,        // launch: directory, CLONE_INTO_CGROUP
  cgroup_v1_tasks,  // launch: `tasks` of its group in each v1 hierarchy, written by the child before it execs
  directory,        // launch: the container's directory; the monitor writes `log` and `exit` in it
  oom_events,       // launch: memory.events (v2, polled by content) or an eventfd of memory.oom_control (v1)
  slot,             // launch: init's slots, in order
  net_namespace,    // reply of setup and namespaces
  ipc_namespace,
  uts_namespace,
  mount_namespace,
  port,   // hold_ports: a bound socket, only kept
  relay,  // hold_ports: a listening TCP or a bound UDP socket whose traffic is forwarded to HoldPorts::target
  exec_group,  // launch of an exec whose plan has `supervise`: the directory of the container's cgroup (v2,
               // or v1's freezer) in which the command's own stands, named by kExecGroup and the id. The
               // monitor removes that at the end when nothing of the command lives on
               // Without kExec, of a container whose plan has `run_foreign`: its cgroup, which is killed
               // when init is. Since version 4
  user_namespace,  // setup, and the replies of setup and namespaces: the pod's. launch: the child is born in
                   // it as its user 0, after it has entered those of the next tag. Since version 3
  joined_namespace,  // launch, with a user_namespace: any that need not belong to it, but for mount and time
};

struct Header {
  std::uint32_t version;
  Type type;
  std::uint32_t size;  // of the payload after this header, bytes
  std::uint32_t fd_count;
  FdTag fd_tags[kMaxFds];
};

struct Setup {
  std::uint32_t
      flags;  // CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS: those to make. The mount namespace always is
  std::uint32_t reserved;
  std::uint64_t shm_size;  // bytes of /dev/shm in the pod's mount namespace (an empty tmpfs root with /shm)
  char hostname[kIdSize];  // of a new UTS namespace; "" leaves it
};

// Launch::flags
inline constexpr std::uint32_t kTerminal = 1;   // standard streams come from Report::console
inline constexpr std::uint32_t kStdinOpen = 2;  // a pipe for stdin; else /dev/null
inline constexpr std::uint32_t kStdinOnce = 4;  // stdin closes when the first attached client's does
inline constexpr std::uint32_t kExec = 8;  // a second process of `container`; nothing is logged nor recorded
inline constexpr std::uint32_t kInfra = 16;        // its end is the pod's
inline constexpr std::uint32_t kNotifyExit = 32;   // start the event command at its end
inline constexpr std::uint32_t kNewPid = 64;       // CLONE_NEWPID
inline constexpr std::uint32_t kReportPids = 128;  // Reply::value is its pid in its own PID namespace
inline constexpr std::uint32_t kTimedOut = 256;    // of Process alone: Launch::timeout_ms was over
inline constexpr std::uint32_t kOwnStreams = 512;  // Launch::stream_owner is said
inline constexpr std::uint32_t kOomScore = 1024;   // Launch::oom_score_adj is said

// Streams, as bits of Launch::attach and Attach::streams.
inline constexpr std::uint32_t kAttachStdin = 1;
inline constexpr std::uint32_t kAttachStdout = 2;
inline constexpr std::uint32_t kAttachStderr = 4;

struct Launch {
  char id[kIdSize];         // of the container, or of the exec session
  char container[kIdSize];  // the container it belongs to (equal to id for the container itself)
  std::uint32_t flags;
  std::uint32_t attach;     // bits; 0: detached
  std::uint64_t log_size;   // rotate above this many bytes; 0: never
  std::uint32_t log_files;  // log, log.1, ... : how many are kept (at least 1)
  std::uint32_t log_enabled;
  std::uint32_t rows;  // of the terminal, 0: unknown
  std::uint32_t columns;
  std::uint64_t timeout_ms;  // with exec_group: kill_group after this time; 0: never. Since version 2
  // Since version 3, for processes in a user namespace, whose root is nobody on the host.
  std::uint32_t stream_owner;  // the host's user to whom the pipes of the standard streams are given
  // What is set before the user namespace is joined, as far as we are allowed (init::ResourceLimit).
  std::int32_t oom_score_adj;
  std::uint32_t limit_count;
  std::uint32_t reserved;
  init::ResourceLimit limits[kMaxLimits];
};

struct Signal {
  char id[kIdSize];
  std::int32_t signal;
  std::uint32_t reserved;
};

struct Resize {
  char id[kIdSize];
  std::uint32_t rows;
  std::uint32_t columns;
};

struct Attach {
  char id[kIdSize];
  std::uint32_t streams;
  std::uint32_t reserved;
};

struct Wait {
  char id[kIdSize];
};

struct RelayTarget {
  std::uint8_t family;    // AF_INET or AF_INET6
  std::uint8_t datagram;  // 1: UDP
  std::uint16_t port;     // host byte order
  std::uint8_t address[16];
};
// A HoldPorts is followed by nothing; target[i] belongs to the i-th `relay` descriptor.
struct HoldPorts {
  std::uint32_t relay_count;
  std::uint32_t reserved;
  RelayTarget target[128];
};

// How a process stands. Times are CLOCK_REALTIME, nanoseconds; 0: not yet.
struct Process {
  char id[kIdSize];
  char container[kIdSize];
  std::int32_t pid;        // in the host's PID namespace; 0 when it has ended
  std::uint32_t flags;     // of its Launch
  std::int32_t exit_code;  // 0..255, 128+n for signal n; -1: runs
  std::uint32_t oom_killed;
  std::int64_t started;
  std::int64_t finished;
};

// Reply::error is 0 or an errno. For launch, `op_index` names the failed operation of the plan, or kNoOp
// when the monitor itself failed (`stage` then says where).
enum class Stage : std::uint32_t { none = 0, request, namespaces, cgroup, clone, init, log };
struct Reply {
  std::int32_t error;
  std::uint32_t op_index;
  Stage stage;
  std::int32_t pid;
  std::int64_t value;
  Process process;  // wait, launch
};

// Of Frame::stream, from the monitor: stdout, stderr, then `ended` (data: a Process) as the last. From the
// client: stdin, stdin_closed (no data), resize (data: two uint32, rows and columns). Closing the connection
// detaches.
enum class Stream : std::uint32_t {
  standard_input = 0,
  standard_output = 1,
  standard_error = 2,
  stdin_closed = 3,
  resize = 4,
  ended = 5
};
struct Frame {
  Stream stream;
  std::uint32_t reserved;
};
inline constexpr std::uint32_t kMaxFrameData = 32 * 1024;

// The file `exit` in a container's directory, written (new file, rename) at its end, one line:
//     <exit code> <1 if killed for memory, else 0> <started ns> <finished ns>\n
// The file `log`: lines of the CRI log format, "<RFC 3339 nano> stdout|stderr F|P <content>\n"; P marks a
// partial line.
inline constexpr char kExitFile[] = "exit";
inline constexpr char kExecGroup[] = "exec-";
inline constexpr char kLogFile[] = "log";

}  // namespace fermata::monitor
