// stop, restart, kill, rm, wait.
#include <fmt/format.h>

#include "base/signals.h"
#include "cli/command.h"

namespace fermata::cli {
namespace {

Result<std::optional<int>> timeout_of(const Flags& flags) {
  const auto seconds = flags.integer("time");
  if (!seconds) return std::optional<int>();
  if (*seconds > 1 << 30) return fail(ErrorKind::invalid_argument, "invalid timeout: {} seconds", *seconds);
  return std::optional<int>(*seconds < 0 ? -1 : static_cast<int>(*seconds));
}

Result<int> run_stop(App& app, const Command&, const Flags& flags) {
  TRY(const auto timeout, timeout_of(flags));
  TRY(pod::Engine* const engine, app.engine());
  return for_each_named(flags.arguments(), [&](const std::string& name) {
    return engine->stop(name, timeout, flags.text("signal"));
  });
}

Result<int> run_restart(App& app, const Command&, const Flags& flags) {
  TRY(const auto timeout, timeout_of(flags));
  TRY(pod::Engine* const engine, app.engine());
  return for_each_named(flags.arguments(), [&](const std::string& name) {
    return engine->restart(name, timeout, flags.text("signal"));
  });
}

Result<int> run_kill(App& app, const Command&, const Flags& flags) {
  const std::string signal = flags.text("signal", "KILL");
  TRY(parse_signal(signal));
  TRY(pod::Engine* const engine, app.engine());
  return for_each_named(flags.arguments(),
                        [&](const std::string& name) { return engine->kill(name, signal); });
}

Result<int> run_rm(App& app, const Command&, const Flags& flags) {
  const pod::RemoveOptions options{.force = flags.is_set("force"), .volumes = flags.is_set("volumes")};
  TRY(pod::Engine* const engine, app.engine());
  return for_each_named(
      flags.arguments(), [&](const std::string& name) { return engine->remove(name, options); },
      // As rm -f: what is not there needs no removing.
      [&](const Error& error) { return options.force && error.kind() == ErrorKind::not_found; });
}

Result<int> run_wait(App& app, const Command&, const Flags& flags) {
  TRY(pod::Engine* const engine, app.engine());
  int result = 0;
  for (const std::string& name : flags.arguments()) {
    if (const auto code = engine->wait(name); code) {
      print(fmt::format("{}\n", *code));
    } else {
      print_error(code.error());
      result = 1;
    }
  }
  return result;
}

constexpr FlagSpec kSignal = {"signal", 's', FlagKind::text, "string", "Signal to send to the container"};
constexpr FlagSpec kTime = {"time", 't', FlagKind::integer, "int",
                            "Seconds to wait before killing the container"};
constexpr FlagSpec kTimeout = {"timeout", 0, FlagKind::integer, "int", "", "time"};

}  // namespace

void add_lifecycle_commands(std::vector<Command>& commands) {
  const std::vector<std::string_view> several = {"[OPTIONS] CONTAINER [CONTAINER...]"};
  commands.push_back({.name = "stop",
                      .group = "container",
                      .summary = "Stop one or more running containers",
                      .usages = several,
                      .example = "fermata stop -t 2 web",
                      .least = 1,
                      .flags = {kSignal, kTime, kTimeout},
                      .run = run_stop});
  commands.push_back({.name = "restart",
                      .group = "container",
                      .summary = "Restart one or more containers",
                      .usages = several,
                      .example = "fermata restart web",
                      .least = 1,
                      .flags = {kSignal, kTime, kTimeout},
                      .run = run_restart});
  commands.push_back({.name = "kill",
                      .group = "container",
                      .summary = "Kill one or more running containers",
                      .usages = several,
                      .example = "fermata kill -s HUP web",
                      .least = 1,
                      .flags = {kSignal},
                      .run = run_kill});
  commands.push_back({.name = "rm",
                      .group = "container",
                      .summary = "Remove one or more containers",
                      .usages = several,
                      .example = "fermata rm -f web",
                      .least = 1,
                      .flags = {{"force", 'f', FlagKind::boolean, "",
                                 "Force the removal of a running container (uses SIGKILL)"},
                                {"volumes", 'v', FlagKind::boolean, "",
                                 "Remove anonymous volumes associated with the container"}},
                      .run = run_rm});
  commands.push_back({.name = "wait",
                      .group = "container",
                      .summary = "Block until one or more containers stop, then print their exit codes",
                      .usages = {"CONTAINER [CONTAINER...]"},
                      .example = "fermata wait job",
                      .least = 1,
                      .run = run_wait});
}

}  // namespace fermata::cli
