// One container of an OCI bundle, without an engine: what fermata-oci's commands do. runtime.md of the OCI
// runtime specification has the life cycle; what it leaves open (idempotence, names of states) is as runc has
// it.
//
// A container has a directory `<root>/<id>` (record.h). Its process is no child of anybody here once it was
// created: the caller's subreaper gets it. Commands on one container wait for each other by a lock in that
// directory. Not thread-safe: it clones processes that share memory with it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "bundle/record.h"
#include "kernel/cgroup.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

struct Options {
  std::string root;      // absolute; made when it is missing
  std::string programs;  // where fermata-init is
  bool systemd_cgroup = false;
  // Called before anything is made, when a container will join a PID namespace whose processes are there:
  // they see who makes it.
  std::function<Result<void>()> before_joining = [] { return Result<void>(); };
  // Told of what could not be done and is no reason to fail.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

struct CreateOptions {
  std::string bundle;  // absolute
  std::string pid_file, console_socket;
  bool pivot = true;
  bool new_keyring = true;
  int preserve_fds = 0;  // descriptors 3, 4, ... go to the process
};

// A process that was made. It is this process's child until this process ends.
struct Started {
  int pid = 0;
  UniqueFd pidfd;
  UniqueFd console;  // the terminal's master, when there is one and no console socket took it
};

struct ExecOptions {
  oci::Process process;
  std::string pid_file, console_socket;
  std::string cgroup;  // below the container's: "" is its own
  int preserve_fds = 0;
  bool ignore_paused = false;
};

// What a checkpoint and a restore have in common; criu(8) explains each.
struct CriuSettings {
  std::string images, work;  // directories, absolute; "" of `work` is `images`
  bool tcp_established = false, ext_unix_sockets = false, shell_job = false, file_locks = false;
  bool auto_dedup = false;
  std::string cgroups_mode = "soft";   // soft, full, strict, ignore
  std::uint32_t empty_namespaces = 0;  // CLONE_NEWNET: its contents are somebody else's
};

struct CheckpointOptions {
  CriuSettings criu;
  std::string parent;  // an earlier checkpoint, relative to `images`
  bool leave_running = false, pre_dump = false, tcp_skip_in_flight = false, link_remap = false;
};

struct RestoreOptions {
  CriuSettings criu;
  std::string bundle;  // absolute
  std::string pid_file, console_socket;
  std::string lsm_profile, lsm_mount_context;
};

inline constexpr char kInitProgram[] = "/fermata-init";

class Runtime {
 public:
  explicit Runtime(Options options) : options_(std::move(options)) {}

  // Makes everything but the execution of the program. A failure leaves nothing.
  Result<Started> create(const std::string& id, const CreateOptions& options) const;
  // Executes the program of a created container, and returns when that has happened.
  Result<void> start(const std::string& id) const;
  // `all`: every process of its control group.
  Result<void> kill(const std::string& id, int signal, bool all) const;
  // Removes a stopped or created container; with `force` any, and an absent one is success.
  Result<void> remove(const std::string& id, bool force) const;
  // Another process in a running or created container.
  Result<Started> exec(const std::string& id, const ExecOptions& options) const;
  Result<void> pause(const std::string& id) const;
  Result<void> resume(const std::string& id) const;
  Result<void> update(const std::string& id, const oci::Resources& resources) const;

  // Its processes, as they are, in files; then it is deleted, unless it was to be left running.
  Result<void> checkpoint(const std::string& id, const CheckpointOptions& options) const;
  // A container whose processes go on where those of a checkpoint were.
  Result<Started> restore(const std::string& id, const RestoreOptions& options) const;

  // `container "x" does not exist` (not_found).
  Result<Container> find(const std::string& id) const;
  Result<std::vector<Container>> list() const;
  // Process ids of the whole container, in the caller's PID namespace.
  Result<std::vector<int>> processes(const std::string& id) const;
  Result<oci::RuntimeSpec> spec(const Container& container) const;
  Result<kernel::Cgroup> group(const Container& container) const;

 private:
  std::string directory_of(const std::string& id) const { return options_.root + "/" + id; }
  void run_stop_hooks(const Container& container) const;

  Options options_;
};

}  // namespace fermata::bundle
