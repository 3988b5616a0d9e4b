#include <sched.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/absolute_path.h"
#include "cli/oci/command.h"
#include "cli/oci/foreground.h"

namespace fermata::cli::oci {
namespace {

// What other runtimes of this command line hand on to CRIU and this one does not.
Result<void> refuse_lazy_pages(const Flags& flags) {
  for (const char* name : {"lazy-pages", "page-server", "status-fd"})
    if (flags.has(name))
      return fail(ErrorKind::unsupported,
                  "--{}: memory pages go into the files of --image-path, all of them and at once", name);
  return {};
}

Result<bundle::CriuSettings> criu_settings(const Flags& flags) {
  TRY(refuse_lazy_pages(flags));
  bundle::CriuSettings settings;
  TRY(settings.images, absolute_path(flags.text("image-path", "checkpoint")));
  TRY(settings.work, absolute_path(flags.text("work-path")));
  settings.tcp_established = flags.is_set("tcp-established");
  settings.ext_unix_sockets = flags.is_set("ext-unix-sk");
  settings.shell_job = flags.is_set("shell-job");
  settings.file_locks = flags.is_set("file-locks");
  settings.auto_dedup = flags.is_set("auto-dedup");
  settings.cgroups_mode = flags.text("manage-cgroups-mode", "soft");
  for (const std::string& name : flags.list("empty-ns")) {
    if (name != "network")
      return fail(ErrorKind::invalid_argument, "--empty-ns {}: only the network namespace can be", name);
    settings.empty_namespaces |= CLONE_NEWNET;
  }
  return settings;
}

Result<int> run_checkpoint(const App& app, const Flags& flags) {
  bundle::CheckpointOptions options;
  TRY(options.criu, criu_settings(flags));
  options.parent = flags.text("parent-path");
  if (options.parent.starts_with('/'))
    return fail(ErrorKind::invalid_argument, "--parent-path {}: must be relative to --image-path",
                options.parent);
  options.leave_running = flags.is_set("leave-running");
  options.pre_dump = flags.is_set("pre-dump");
  options.tcp_skip_in_flight = flags.is_set("tcp-skip-in-flight");
  options.link_remap = flags.is_set("link-remap");
  TRY(app.runtime.checkpoint(flags.arguments()[0], options));
  return 0;
}

Result<bundle::RestoreOptions> restore_options(const Flags& flags) {
  bundle::RestoreOptions options;
  TRY(options.criu, criu_settings(flags));
  const std::string given = flags.text("bundle", ".");
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(given.c_str(), nullptr), &std::free);
  if (!resolved) return fail(errno, "bundle '{}'", given);
  options.bundle = resolved.get();
  options.pid_file = flags.text("pid-file");
  options.console_socket = flags.text("console-socket");
  options.lsm_profile = flags.text("lsm-profile");
  options.lsm_mount_context = flags.text("lsm-mount-context");
  return options;
}

Result<int> run_restore(const App& app, const Flags& flags) {
  const std::string& id = flags.arguments()[0];
  TRY(const auto options, restore_options(flags));
  if (flags.is_set("detach")) {
    TRY(const auto started, app.runtime.restore(id, options));
    if (!started.console) return 0;
    TRY(app.runtime.remove(id, true));
    return fail(ErrorKind::invalid_argument, "a terminal needs --console-socket with --detach");
  }
  TRY(const auto signals, HeldSignals::hold());
  if (!flags.is_set("no-subreaper") && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return fail(errno, "become the reaper of the container's orphans");
  TRY(const auto started, app.runtime.restore(id, options));
  auto code = stand_by(started, signals);
  TRY(app.runtime.remove(id, true));
  return code;
}

std::vector<FlagSpec> common_flags() {
  return {
      {"auto-dedup", 0, FlagKind::boolean, "", "Drop pages of earlier checkpoints that this one has anew"},
      {"empty-ns", 0, FlagKind::list, "string", "Leave the contents of a namespace (network) to others"},
      {"ext-unix-sk", 0, FlagKind::boolean, "", "Allow Unix sockets that lead outside"},
      {"file-locks", 0, FlagKind::boolean, "", "Allow file locks"},
      {"image-path", 0, FlagKind::text, "string", "Where the checkpoint is (default \"checkpoint\")"},
      {"lazy-pages", 0, FlagKind::boolean, "", "Not supported"},
      {"manage-cgroups-mode", 0, FlagKind::text, "string", "soft, full, strict or ignore (default \"soft\")"},
      {"shell-job", 0, FlagKind::boolean, "", "Allow processes that belong to a terminal outside"},
      {"tcp-established", 0, FlagKind::boolean, "", "Allow open TCP connections"},
      {"work-path", 0, FlagKind::text, "string", "Where the log and other work files go"},
  };
}

}  // namespace

void add_checkpoint_commands(std::vector<Command>& commands) {
  auto checkpoint = common_flags();
  checkpoint.insert(
      checkpoint.end(),
      {{"leave-running", 0, FlagKind::boolean, "", "Keep the container"},
       {"link-remap", 0, FlagKind::boolean, "", "Allow files that were removed and are still open"},
       {"page-server", 0, FlagKind::text, "string", "Not supported"},
       {"parent-path", 0, FlagKind::text, "string", "An earlier checkpoint, relative to --image-path"},
       {"pre-dump", 0, FlagKind::boolean, "", "Only memory, and keep the container"},
       {"status-fd", 0, FlagKind::integer, "int", "Not supported"},
       {"tcp-skip-in-flight", 0, FlagKind::boolean, "", "Leave out TCP connections that are being made"}});
  auto restore = common_flags();
  restore.insert(
      restore.end(),
      {{"bundle", 'b', FlagKind::text, "string", "The bundle's directory (default \".\")"},
       {"console-socket", 0, FlagKind::text, "string", "A socket that gets the terminal's master"},
       {"detach", 'd', FlagKind::boolean, "", "Return when the processes go on"},
       {"lsm-mount-context", 0, FlagKind::text, "string", "The security label of mounts"},
       {"lsm-profile", 0, FlagKind::text, "string", "The security label of processes, as TYPE:NAME"},
       {"no-pivot", 0, FlagKind::boolean, "", "Without effect: criu enters the root in its own way"},
       {"no-subreaper", 0, FlagKind::boolean, "", "Leave orphans of the container to others"},
       {"pid-file", 0, FlagKind::text, "string", "Write the process's id to this file"}});
  commands.push_back({.name = "checkpoint",
                      .summary = "Write a running container to files",
                      .usage = "[OPTIONS] CONTAINER-ID",
                      .flags = std::move(checkpoint),
                      .run = run_checkpoint});
  commands.push_back({.name = "restore",
                      .summary = "Let a container go on from such files",
                      .usage = "[OPTIONS] CONTAINER-ID",
                      .flags = std::move(restore),
                      .run = run_restore});
}

}  // namespace fermata::cli::oci
