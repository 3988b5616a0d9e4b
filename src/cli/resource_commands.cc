// pause, unpause, update.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/resource_flags.h"

namespace fermata::cli {
namespace {

constexpr FlagSpec kUpdateFlags[] = {
    {"blkio-weight", 0, FlagKind::integer, "uint16", "Block IO (relative weight), between 10 and 1000"},
    {"cpu-period", 0, FlagKind::integer, "int", "Limit CPU CFS (Completely Fair Scheduler) period"},
    {"cpu-quota", 0, FlagKind::integer, "int", "Limit CPU CFS (Completely Fair Scheduler) quota"},
    {"cpu-shares", 'c', FlagKind::integer, "int", "CPU shares (relative weight)"},
    {"cpus", 0, FlagKind::text, "decimal", "Number of CPUs"},
    {"cpuset-cpus", 0, FlagKind::text, "string", "CPUs in which to allow execution (0-3, 0,1)"},
    {"cpuset-mems", 0, FlagKind::text, "string", "MEMs in which to allow execution (0-3, 0,1)"},
    {"memory", 'm', FlagKind::text, "bytes", "Memory limit"},
    {"memory-reservation", 0, FlagKind::text, "bytes", "Memory soft limit"},
    {"memory-swap", 0, FlagKind::text, "bytes",
     "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"},
    {"pids-limit", 0, FlagKind::integer, "int", "Tune container pids limit (set -1 for unlimited)"},
    {"restart", 0, FlagKind::text, "string", "Restart policy to apply when a container exits (only \"no\")"},
};

Result<int> run_pause(App& app, const Command&, const Flags& flags) {
  TRY(pod::Engine* const engine, app.engine());
  return for_each_named(flags.arguments(), [&](const std::string& name) { return engine->pause(name); });
}

Result<int> run_unpause(App& app, const Command&, const Flags& flags) {
  TRY(pod::Engine* const engine, app.engine());
  return for_each_named(flags.arguments(), [&](const std::string& name) { return engine->unpause(name); });
}

bool any_given(const Flags& flags) {
  for (const FlagSpec& spec : kUpdateFlags)
    if (flags.has(spec.name)) return true;
  return false;
}

Result<int> run_update(App& app, const Command&, const Flags& flags) {
  if (!any_given(flags))
    return fail(ErrorKind::invalid_argument, "you must provide one or more flags when using this command");
  if (const std::string policy = flags.text("restart", "no"); policy != "no")
    return invalid_flag_value(kUpdateFlags, "restart", policy,
                              "restart policies are not there yet: only \"no\" is accepted");
  TRY(const pod::Resources changes, resource_flags(flags, kUpdateFlags));
  TRY(pod::Engine* const engine, app.engine());
  return for_each_named(flags.arguments(), [&](const std::string& name) -> Result<void> {
    TRY(const std::string warning, engine->update(name, changes));
    if (!warning.empty()) print_warning(warning);
    return {};
  });
}

}  // namespace

void add_resource_commands(std::vector<Command>& commands) {
  const std::vector<std::string_view> several = {"CONTAINER [CONTAINER...]"};
  commands.push_back({.name = "pause",
                      .group = "container",
                      .summary = "Pause all processes within one or more containers",
                      .usages = several,
                      .example = "fermata pause web",
                      .least = 1,
                      .run = run_pause});
  commands.push_back({.name = "unpause",
                      .group = "container",
                      .summary = "Unpause all processes within one or more containers",
                      .usages = several,
                      .example = "fermata unpause web",
                      .least = 1,
                      .run = run_unpause});
  commands.push_back({.name = "update",
                      .group = "container",
                      .summary = "Update configuration of one or more containers",
                      .usages = {"[OPTIONS] CONTAINER [CONTAINER...]"},
                      .example = "fermata update --memory 256m --cpus 1.5 web",
                      .least = 1,
                      .flags = {std::begin(kUpdateFlags), std::end(kUpdateFlags)},
                      .run = run_update});
}

}  // namespace fermata::cli
