// The engine: pods and containers, their life cycles, in one process or in many at once on one store.
//
// Every method may be interrupted or killed at any point and called again: intents are recorded before acts,
// and a later call completes or undoes them. An Engine is used by one thread at a time. It is no parent of
// anything that runs.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "image/images.h"
#include "pod/model.h"
#include "pod/settings.h"
#include "pod/stats.h"

namespace fermata::pod {

// How long bridge and table outlive the last pod: whoever replaces a container finds them standing, and no
// command waits while the kernel takes them away.
inline constexpr std::chrono::seconds kLinger{1};

struct EngineOptions {
  std::string root = "/var/lib/fermata";  // --root
  std::string run_root =
      "/run/fermata";           // --run-root. A non-default one gets its own bridge, table and cgroup parent
  std::string owner = "cli";    // whose objects are seen and made
  bool see_all_owners = false;  // for listing
  CgroupManager cgroup_manager = CgroupManager::cgroupfs;  // who makes the groups of pods
  // This process outlives its calls: what follows from the ends that it brings about it does itself, in place
  // of the monitors' event commands, and it calls wind_down() after them.
  bool resident = false;
  std::string programs;  // directory of fermata-monitor, fermata-init, pause; "": beside this program
};

// A running process's streams, seen from a client: the connection to the monitor in its stream mode.
class Session {
 public:
  virtual ~Session() = default;
  struct Event {
    enum class Kind { output, error_output, ended, closed } kind;
    std::string data;        // output
    int exit_code = 0;       // ended
    bool timed_out = false;  // ended, because ExecConfig::timeout was over
  };
  // For poll(2).
  virtual int fd() const = 0;
  // Blocks for one event. `closed`: the monitor went away without telling an exit code (MonitorLost).
  virtual Result<Event> read() = 0;
  virtual Result<void> write_stdin(std::string_view data) = 0;
  virtual Result<void> close_stdin() = 0;
  virtual Result<void> resize(std::uint32_t rows, std::uint32_t columns) = 0;
  // Of an exec: ends the command and all that it has started; `ended` follows as for any other end.
  // ErrorKind::unsupported: it has no group of its own.
  Result<void> kill() const;
  void set_killer(std::function<Result<void>()> killer) { killer_ = std::move(killer); }

 private:
  std::function<Result<void>()> killer_;
};

struct StreamSelection {
  bool stdin_ = false, stdout_ = false, stderr_ = false;
  std::uint32_t rows = 0, columns = 0;
  bool any() const { return stdin_ || stdout_ || stderr_; }
};

// A failed start with docker's exit code for it: 125 engine, 126 cannot be run, 127 not found.
struct StartFailure {
  int exit_code = 125;
  Error error;
};

struct Started {
  std::unique_ptr<Session> session;   // null without streams
  std::vector<std::string> warnings;  // what could not be done on this machine; a --rm container may be gone
                                      // before anyone can inspect it
};

struct ContainerFilter {
  bool all = false;  // also those that do not run
  bool infra =
      true;  // pause containers that the user made are shown; those the engine made never are without this
  std::vector<std::pair<std::string, std::string>> filters;  // --filter key=value: the keys of list_filter.cc
  std::optional<std::size_t> last;                           // -n
};

struct RemoveOptions {
  bool force = false;
  bool volumes = false;  // anonymous ones
};

struct CheckpointRequest {
  std::string location;  // of the archive, an absolute path; what is there is replaced
  std::map<std::string, std::string> annotations;  // of the specification in it, beside the container's own
  // Asked now and then; its Error ends the work.
  std::function<Result<void>()> patience = [] { return Result<void>(); };
};

struct LogOptions {
  bool follow = false;
  bool timestamps = false;
  std::optional<std::uint64_t> tail;
  std::int64_t since = 0, until = 0;  // ns, 0: unset
};

struct EngineInfo {
  std::string root, run_root, kernel, architecture, hostname, operating_system, cgroup_version, cgroup_driver;
  int cpus = 0;
  std::uint64_t memory = 0;
  std::size_t containers = 0, running = 0, paused = 0, stopped = 0, images = 0;
  std::vector<std::string> security_options, warnings;
  bool user_namespaces = false;  // pods can have their own; tried on this kernel and file system
};

// How a pod and its containers stand, and for how long: until its revision is another one, or one of `ends`
// is readable.
struct PodObservation {
  std::int64_t revision = 0;  // from before the look
  PodInfo pod;
  std::vector<ContainerInfo> members;  // newest first
  std::vector<UniqueFd> ends;          // pidfd_open(2), of its monitor and of the containers that run
  bool passing = false;                // a change was under way: it holds for that moment alone
};

class Engine {
 public:
  // Makes the directories on first use. Needs root: ErrorKind::permission says so, with the way out.
  static Result<std::unique_ptr<Engine>> open(EngineOptions options);
  ~Engine();

  image::Images& images();

  // Refuses bad input before anything is made: unknown image (ErrorKind::not_found: pull it first), name in
  // use, bad mounts, unknown or not running namespace targets, -p with --net=container:.
  Result<std::string> create(ContainerConfig config);
  // Starts a created or exited container; a running one is a success without a change. With streams the
  // session sees all output from the first byte.
  tl::expected<Started, StartFailure> start(const std::string& container, const StreamSelection& streams);
  Result<std::unique_ptr<Session>> attach(const std::string& container, const StreamSelection& streams);
  tl::expected<std::unique_ptr<Session>, StartFailure> exec(const std::string& container,
                                                            const ExecConfig& config,
                                                            const StreamSelection& streams);
  // timeout: nullopt the container's own (10 s unless configured); negative: wait forever. Stopping a stopped
  // one is a success. An infra container's members are stopped before it, all at once, each with its own
  // signal.
  Result<void> stop(const std::string& container, std::optional<int> timeout_seconds,
                    const std::string& signal = "");
  // Stops and starts. A --rm container stays; one that runs is not stopped when what it joins has gone.
  Result<void> restart(const std::string& container, std::optional<int> timeout_seconds,
                       const std::string& signal = "");
  Result<void> kill(const std::string& container, const std::string& signal);
  // Its processes stand still, and go on. A paused one takes no exec, and ends when it is stopped or killed.
  Result<void> pause(const std::string& container);
  Result<void> unpause(const std::string& container);
  // Changes what is given, for now and for later starts; all of it or nothing. A warning, or "".
  Result<std::string> update(const std::string& container, const Resources& changes);
  // Writes its processes and what it has changed in its root file system into an archive (tar, mode 0600), as
  // podman and CRI-O lay it out, and lets it go on. All processes stand still meanwhile, and the network of
  // its pod; an archive that cannot be whole is not there. Needs CRIU: an ErrorKind::unsupported says why it
  // does not work here. ErrorKind::conflict: it does not run.
  Result<void> checkpoint(const std::string& container, const CheckpointRequest& request);
  // Its exit code, once it is not running.
  Result<int> wait(const std::string& container);
  Result<void> remove(const std::string& container, const RemoveOptions& options);
  Result<void> resize(const std::string& container, std::uint32_t rows, std::uint32_t columns);

  // "no such container: x"; an ambiguous prefix is an error of its own.
  Result<ContainerInfo> inspect(const std::string& container);
  Result<std::vector<ContainerInfo>> list(const ContainerFilter& filter);
  Result<ContainerStats> stats(const std::string& container);
  // Calls `line` with stream (1, 2) and bytes until the end, or, following, until the container ends or
  // `line` returns false.
  Result<void> logs(const std::string& container, const LogOptions& options,
                    const std::function<bool(int stream, std::string_view bytes)>& line);
  Result<EngineInfo> info();
  // Image ids in use, with the short id of a container each, for Images::remove.
  Result<std::vector<std::pair<std::string, std::string>>> images_in_use();

  // Pods with an infra container that a face made as such; what they are called is the infra container's
  // name. Makes and starts one from its infra container's configuration (infra, and an image "" for the
  // built-in pause): all of it or nothing. The name is in use: ErrorKind::conflict.
  Result<std::string> run_pod(ContainerConfig infra);
  // Kills its members, all at once, then the infra container, and gives its network back. Stopping a stopped
  // one is a success. It does not come back.
  Result<void> stop_pod(const std::string& pod);
  // Stops it, then removes its members and it. An unknown one: ErrorKind::not_found.
  Result<void> remove_pod(const std::string& pod);
  // By id, name or unique id prefix.
  Result<PodInfo> inspect_pod(const std::string& pod);
  // Its containers but the infra container, newest first.
  Result<std::vector<ContainerInfo>> members(const std::string& pod);
  // For who keeps what it has seen. Newest first; members of a pod without an infra container are not shown.
  Result<std::vector<PodRevision>> pod_revisions();
  // Of one, by its whole id, whoever owns it. ErrorKind::not_found: it is gone.
  Result<std::int64_t> pod_revision(const std::string& id);
  // The id of the pod that a container is in.
  Result<std::string> pod_of(const std::string& container);
  Result<PodObservation> observe_pod(const std::string& pod);
  // Replaces ContainerConfig::attachment.
  Result<void> attach_data(const std::string& container, const std::string& attachment);
  // Of a control group by its path, as inspections tell it, and of the network that this process is in (0: of
  // none).
  Result<ContainerStats> group_stats(const std::string& cgroup, int network_pid, kernel::StatsDepth depth);
  // The networks that a cluster gave this node for its pods: the built-in network has its addresses of them
  // from the next time on that it is made, and CniRequest::ip_ranges may name them. Answers what of it stays
  // as it is, and why, for people.
  Result<std::vector<std::string>> set_pod_ranges(const network::PodRanges& ranges);
  Result<network::PodRanges> pod_ranges();
  // Its log file is opened anew by its name: whoever rotates it has moved it away. ErrorKind::conflict: it
  // does not run.
  Result<void> reopen_log(const std::string& container);

  // What the monitor starts on an event of the pod: records exits, removes --rm containers, ends an empty
  // pod.
  Result<void> handle_event(const std::string& pod);
  // Waits until no pod has needed the bridge for `linger`, and takes away what pods share on the host, unless
  // it is in use again or somebody else waits already. For a resident process.
  Result<void> wind_down(std::chrono::nanoseconds linger);

  class Impl;

 private:
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::pod
