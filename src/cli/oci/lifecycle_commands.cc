#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/signals.h"
#include "cli/oci/command.h"
#include "cli/oci/foreground.h"

namespace fermata::cli::oci {
namespace {

Result<std::string> bundle_directory(const Flags& flags) {
  const std::string given = flags.text("bundle", ".");
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(given.c_str(), nullptr), &std::free);
  if (!resolved) return fail(errno, "bundle '{}'", given);
  return std::string(resolved.get());
}

Result<bundle::CreateOptions> create_options(const Flags& flags) {
  bundle::CreateOptions options;
  TRY(options.bundle, bundle_directory(flags));
  options.pid_file = flags.text("pid-file");
  options.console_socket = flags.text("console-socket");
  options.pivot = !flags.is_set("no-pivot");
  options.new_keyring = !flags.is_set("no-new-keyring");
  options.preserve_fds = static_cast<int>(flags.integer("preserve-fds").value_or(0));
  return options;
}

std::vector<FlagSpec> create_flags() {
  return {
      {"bundle", 'b', FlagKind::text, "string", "The bundle's directory (default \".\")"},
      {"console-socket", 0, FlagKind::text, "string", "A socket that gets the terminal's master"},
      {"no-new-keyring", 0, FlagKind::boolean, "", "Keep the session keyring of the caller"},
      {"no-pivot", 0, FlagKind::boolean, "", "Move the root instead of pivot_root, for a root in memory"},
      {"pid-file", 0, FlagKind::text, "string", "Write the process's id to this file"},
      {"preserve-fds", 0, FlagKind::integer, "int", "Hand down this many descriptors, from 3 on"},
  };
}

Result<int> run_create(const App& app, const Flags& flags) {
  const std::string& id = flags.arguments()[0];
  TRY(const auto options, create_options(flags));
  TRY(const auto started, app.runtime.create(id, options));
  if (!started.console) return 0;
  // Nobody would ever read it.
  TRY(app.runtime.remove(id, true));
  return fail(ErrorKind::invalid_argument,
              "config.json asks for a terminal (process.terminal): give --console-socket, or use run");
}

Result<int> run_start(const App& app, const Flags& flags) {
  TRY(app.runtime.start(flags.arguments()[0]));
  return 0;
}

Result<int> run_in_foreground(const App& app, const std::string& id, const bundle::Started& started,
                              const HeldSignals& signals) {
  TRY(app.runtime.start(id));
  return stand_by(started, signals);
}

Result<int> run_run(const App& app, const Flags& flags) {
  const std::string& id = flags.arguments()[0];
  TRY(const auto options, create_options(flags));
  if (flags.is_set("detach")) {
    TRY(const auto started, app.runtime.create(id, options));
    if (auto ran = started.console
                       ? fail(ErrorKind::invalid_argument, "a terminal needs --console-socket with --detach")
                       : app.runtime.start(id);
        !ran) {
      TRY(app.runtime.remove(id, true));
      return tl::unexpected(std::move(ran.error()));
    }
    return 0;
  }
  TRY(const auto signals, HeldSignals::hold());
  if (!flags.is_set("no-subreaper") && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return fail(errno, "become the reaper of the container's orphans");
  TRY(const auto started, app.runtime.create(id, options));
  auto code = run_in_foreground(app, id, started, signals);
  if (!code || !flags.is_set("keep")) TRY(app.runtime.remove(id, true));
  return code;
}

Result<int> run_kill(const App& app, const Flags& flags) {
  const auto& arguments = flags.arguments();
  TRY(const int signal, parse_signal(arguments.size() > 1 ? arguments[1] : "TERM"));
  TRY(app.runtime.kill(arguments[0], signal, flags.is_set("all")));
  return 0;
}

Result<int> run_delete(const App& app, const Flags& flags) {
  TRY(app.runtime.remove(flags.arguments()[0], flags.is_set("force")));
  return 0;
}

Result<int> run_pause(const App& app, const Flags& flags) {
  TRY(app.runtime.pause(flags.arguments()[0]));
  return 0;
}

Result<int> run_resume(const App& app, const Flags& flags) {
  TRY(app.runtime.resume(flags.arguments()[0]));
  return 0;
}

Result<int> run_state(const App& app, const Flags& flags) {
  TRY(const auto container, app.runtime.find(flags.arguments()[0]));
  TRY(const auto spec, app.runtime.spec(container));
  TRY(print(state_document(container, name_of(container.status), spec.annotations) + "\n"));
  return 0;
}

std::string list_table(const std::vector<bundle::Container>& containers) {
  std::size_t id_width = 10, bundle_width = 10;
  for (const auto& one : containers) {
    id_width = std::max(id_width, one.record.id.size());
    bundle_width = std::max(bundle_width, one.record.bundle.size());
  }
  const auto row = [&](std::string_view id, std::string_view pid, std::string_view status,
                       std::string_view directory, std::string_view created, std::string_view owner) {
    return fmt::format("{:<{}}  {:<10}  {:<10}  {:<{}}  {:<30}  {}\n", id, id_width, pid, status, directory,
                       bundle_width, created, owner);
  };
  std::string out = row("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
  for (const auto& one : containers) {
    const bool stopped = one.status == bundle::Status::stopped;
    out += row(one.record.id, stopped ? "0" : std::to_string(one.record.pid), name_of(one.status),
               one.record.bundle, rfc3339(one.record.created), one.record.owner);
  }
  return out;
}

Result<std::string> list_json(const App& app, const std::vector<bundle::Container>& containers) {
  std::string out = "[";
  for (const auto& one : containers) {
    TRY(const auto spec, app.runtime.spec(one));
    out += (out.size() > 1 ? "," : "") + state_document(one, name_of(one.status), spec.annotations);
  }
  return containers.empty() ? "null\n" : out + "]\n";
}

Result<int> run_list(const App& app, const Flags& flags) {
  const std::string format = flags.text("format", "table");
  if (format != "table" && format != "json")
    return fail(ErrorKind::invalid_argument, "invalid format: {} (table or json)", format);
  TRY(const auto containers, app.runtime.list());
  std::string out;
  if (flags.is_set("quiet")) {
    for (const auto& one : containers) out += one.record.id + "\n";
  } else if (format == "json") {
    TRY(out, list_json(app, containers));
  } else {
    out = list_table(containers);
  }
  TRY(print(out));
  return 0;
}

}  // namespace

void add_lifecycle_commands(std::vector<Command>& commands) {
  std::vector<FlagSpec> run_flags = create_flags();
  run_flags.push_back({"detach", 'd', FlagKind::boolean, "", "Return when the program was executed"});
  run_flags.push_back({"keep", 0, FlagKind::boolean, "", "Do not delete the container at its end"});
  run_flags.push_back({"no-subreaper", 0, FlagKind::boolean, "", "Leave the container's orphans to others"});
  commands.push_back({.name = "create",
                      .summary = "Create a container from a bundle",
                      .usage = "[OPTIONS] CONTAINER-ID",
                      .flags = create_flags(),
                      .run = run_create});
  commands.push_back(
      {.name = "delete",
       .summary = "Delete a container that has stopped",
       .usage = "[OPTIONS] CONTAINER-ID",
       .flags = {{"force", 'f', FlagKind::boolean, "", "Kill it first; one that is absent is fine"}},
       .run = run_delete});
  commands.push_back({.name = "kill",
                      .summary = "Send a signal to the container's process",
                      .usage = "[OPTIONS] CONTAINER-ID [SIGNAL]",
                      .most = 2,
                      .flags = {{"all", 'a', FlagKind::boolean, "", "To every process of the container"}},
                      .run = run_kill});
  commands.push_back(
      {.name = "list",
       .summary = "List containers",
       .usage = "[OPTIONS]",
       .least = 0,
       .most = 0,
       .flags = {{"format", 'f', FlagKind::text, "string", "table or json (default \"table\")"},
                 {"quiet", 'q', FlagKind::boolean, "", "Only ids"}},
       .run = run_list});
  commands.push_back({.name = "pause",
                      .summary = "Suspend all processes of a container",
                      .usage = "CONTAINER-ID",
                      .flags = {},
                      .run = run_pause});
  commands.push_back({.name = "resume",
                      .summary = "Let them go on",
                      .usage = "CONTAINER-ID",
                      .flags = {},
                      .run = run_resume});
  commands.push_back({.name = "run",
                      .summary = "Create and start a container, and wait for its end",
                      .usage = "[OPTIONS] CONTAINER-ID",
                      .flags = std::move(run_flags),
                      .run = run_run});
  commands.push_back({.name = "start",
                      .summary = "Execute the program of a created container",
                      .usage = "CONTAINER-ID",
                      .flags = {},
                      .run = run_start});
  commands.push_back({.name = "state",
                      .summary = "Print the state of a container",
                      .usage = "CONTAINER-ID",
                      .flags = {},
                      .run = run_state});
}

}  // namespace fermata::cli::oci
