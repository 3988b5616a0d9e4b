// The processes of the pod: containers and exec sessions, from launch to their recorded end. Their list, and
// what happens to one; the streams are in streams.cc, the way to the clone in launch.cc.
//
// A process `starts` until fermata-init has made it the container's (its report socket closes; a supervisor
// keeps it, and reports `started`), `runs`, is
// `draining` once it is dead and its output is read to the end, and has then `ended`.
//
// Output goes to the log and to every attached client. A client that takes less than the container gives is
// carried for kClientBacklog bytes; then the container's pipe is no longer read until it has caught up, which
// holds the container as a full terminal would. Without a client nothing ever holds it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/unique_fd.h"
#include "monitor/connection.h"
#include "monitor/log.h"
#include "monitor/loop.h"
#include "monitor/protocol.h"
#include "monitor/request.h"

namespace fermata::monitor {

inline constexpr std::size_t kClientBacklog = 256 * 1024;
inline constexpr std::uint32_t kMaxProcesses = 512;  // what `list` can tell in one packet

enum class State : std::uint8_t { starting, running, draining, ended };

struct Output {
  Watch watch;
  PodProcess* process = nullptr;
  int stream = 0;  // 0 stdout, 1 stderr
};

struct Input {
  Watch watch;
  PodProcess* process = nullptr;
  char* pending = nullptr;  // of one frame, not taken by the container yet
  std::size_t size = 0, done = 0;
  bool closing = false;  // after what is pending
};

struct ReportWatch {
  Watch watch;
  PodProcess* process = nullptr;
  bool ready = false;
  bool started = false;  // by a supervisor, which says no more
  std::int32_t inner_pid = 0;
  std::int32_t error = 0;
  std::uint32_t op_index = 0;
};

struct ProcessTimer {
  Timer timer;
  PodProcess* process = nullptr;
};

// Of an exec: init stays as the command's parent, and ends it with all that it has started when it is told to
// (init::Op::supervise). Then `host_pid` is init's, `pidfd` and `info.pid` are the command's.
// The same of a container that another runtime made (init::Op::run_foreign): the group is its own.
struct Supervision {
  UniqueFd container;  // its cgroup, with that of the command in it; invalid: there is no supervisor
  char group[kIdSize + sizeof kExecGroup] = {};
  UniqueFd supervisor;  // pidfd
  ProcessTimer timer;   // the command's time, then the supervisor's patience
  bool ordered = false;
};

struct PodProcess {
  Process info = {};  // what clients are told
  State state = State::starting;
  int host_pid = 0;  // until it is reaped
  UniqueFd pidfd;
  UniqueFd directory;
  UniqueFd oom_events;
  bool oom_is_counter = false;  // memory.events of v2; else v1's eventfd
  std::uint64_t oom_baseline = 0;
  ReportWatch report;
  Output output[2];
  Input input;
  Log log;
  ProcessTimer drain;
  Supervision supervision;
  std::uint32_t rows = 0, columns = 0;
  Connection* clients = nullptr;   // who launches, waits for or streams it
  Connection* owner = nullptr;     // of an exec session: the connection that may still ask for its end
  Connection* claimant = nullptr;  // who does what follows from its end, in place of the event command
  bool told = false;               // its end was told to somebody
  PodProcess* next = nullptr;

  bool has(std::uint32_t flag) const { return (info.flags & flag) != 0; }
  bool supervised() const { return supervision.container.valid(); }
};

// The list. nullptr when there is none of that id.
PodProcess* find_process(const char* id);
PodProcess* first_process();
bool any_process_runs();
void add_process(PodProcess& process);
// Frees it with all it holds. Its clients are left to their caller.
void drop_process(PodProcess& process);
std::uint32_t process_count();

void add_client(PodProcess& process, Connection& connection, Connection::Mode mode);
void remove_client(Connection& connection);
// `id` "": of all that run and are not claimed yet.
void claim_ends(Connection& connection, const char* id);
// What it has claimed is done, as far as it knows.
void settle_ends(Connection& connection);
// The connection is going away.
void forget_connection(Connection& connection);

// launch.cc. Takes the descriptors it keeps out of `fds` (-1). True: the reply comes later; false: `failure`
// says why not.
bool launch(Connection& connection, const Request& request, int* fds, Reply& failure);
// Reads what init has reported so far. False: the launch has failed, and the record is no longer to be used.
bool read_report(PodProcess& process);

// supervision.cc
void begin_supervision(PodProcess& process, int container_group);
void limit_time(PodProcess& process, std::uint64_t timeout_ms);
// Tells the supervisor to end everything; it is given some time, then the group is killed over its head. 0 or
// an errno.
int order_end(PodProcess& process);
// The supervisor did not end by itself: what it would have killed.
void kill_exec_group(PodProcess& process);
// Whatever the end was. A group that still has members is left to who removes the container's.
void end_supervision(PodProcess& process);

// report.cc. One report into `process.report`; false at the end of the stream, or (`again`) when there is
// none now.
bool take_report(PodProcess& process, bool& again);

// streams.cc
int open_streams(PodProcess& process, int (&child_fds)[3]);
void take_console(PodProcess& process, int master);
void start_streams(PodProcess& process);
// Reads what is there; true when all outputs have ended.
bool drain_streams(PodProcess& process);
void close_streams(PodProcess& process);
void update_flow(PodProcess& process);
bool input_is_full(const PodProcess* process);
void take_frame(Connection& connection, Stream stream, const unsigned char* data, std::size_t size);
int resize_terminal(PodProcess& process, std::uint32_t rows, std::uint32_t columns);
void client_input_ended(Connection& connection);

// exit.cc
void reap_children();
// All output has been read, or waited for long enough.
void finish(PodProcess& process);
// What to look at when the kernel's OOM killer is asked about.
void arm_oom(PodProcess& process, int fd);

}  // namespace fermata::monitor
