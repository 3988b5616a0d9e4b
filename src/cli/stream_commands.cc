// exec, attach, logs.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "base/files.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/container_flags.h"
#include "cli/foreground.h"
#include "cli/human.h"

namespace fermata::cli {
namespace {

// Docker's exec tells 126 and 127 of its own command, and 1 where `run` has 125.
int exec_failure(const pod::StartFailure& failure) {
  const int code = report_start_failure(failure);
  return code == 125 ? 1 : code;
}

constexpr int kTimedOut = 124;  // as of timeout(1)

// Part of a millisecond counts as a whole one: 0 would mean none.
Result<std::chrono::milliseconds> read_timeout(const Flags& flags) {
  if (!flags.has("timeout")) return std::chrono::milliseconds(0);
  const std::string text = flags.text("timeout");
  const auto duration = parse_duration(text);
  if (!duration || *duration <= 0)
    return fail(ErrorKind::invalid_argument,
                "invalid argument \"{}\" for \"--timeout\" flag: not a duration above 0, such as 30s or 1m30s",
                text);
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds(*duration));
}

Result<int> run_exec(App& app, const Command&, const Flags& flags) {
  const auto& words = flags.arguments();
  pod::ExecConfig config{.command = {words.begin() + 1, words.end()},
                         .user = flags.text("user"),
                         .working_dir = flags.text("workdir"),
                         .terminal = flags.is_set("tty"),
                         .stdin_open = flags.is_set("interactive"),
                         .privileged = flags.is_set("privileged")};
  const Client client{.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }};
  TRY(config.env, environment(flags, client));
  TRY(config.timeout, read_timeout(flags));
  // A signal of ours belongs to the client: the process ends with its container, not with this command, as
  // docker has it.
  Foreground foreground{.terminal = config.terminal, .input = config.stdin_open, .forward_signals = false};
  TRY(foreground.read_detach_keys(flags));
  const bool detach = flags.is_set("detach");
  if (!detach) TRY(foreground.check_terminal());
  TRY(pod::Engine* const engine, app.engine());
  if (detach) {
    auto started = engine->exec(words[0], config, {});
    return started ? 0 : exec_failure(started.error());
  }
  const auto end = run_foreground(
      foreground,
      [&](const pod::StreamSelection& streams) { return engine->exec(words[0], config, streams); },
      [](int) {});
  if (!end) return exec_failure(end.error());
  if (!end->timed_out) return exit_code_of(*end);
  print_error(Error(ErrorKind::unavailable, 0,
                    fmt::format("exec in container '{}' did not end within {}: it was killed, with all that it "
                                "had started",
                                words[0], flags.text("timeout"))));
  return kTimedOut;
}

Result<int> run_attach(App& app, const Command&, const Flags& flags) {
  const std::string& name = flags.arguments()[0];
  TRY(pod::Engine* const engine, app.engine());
  TRY(const pod::ContainerInfo info, engine->inspect(name));
  if (info.state != pod::ContainerState::running)
    return fail(ErrorKind::conflict, "you cannot attach to a stopped container, start it first");
  Foreground foreground{.terminal = info.config.terminal,
                        .input = info.config.stdin_open && !flags.is_set("no-stdin"),
                        .forward_signals = flags.is_set("sig-proxy", true)};
  TRY(foreground.read_detach_keys(flags));
  TRY(foreground.check_terminal());
  const auto end = run_foreground(
      foreground,
      [&](const pod::StreamSelection& streams)
          -> tl::expected<std::unique_ptr<pod::Session>, pod::StartFailure> {
        auto session = engine->attach(info.id, streams);
        if (!session) return tl::unexpected(pod::StartFailure{1, std::move(session.error())});
        // A terminal that shows nothing until its size changes: the program draws again when it does.
        if (foreground.terminal && streams.rows != 0)
          (void)engine->resize(info.id, streams.rows, streams.columns);
        return std::move(*session);
      },
      [&](int signal) { (void)engine->kill(info.id, fmt::format("{}", signal)); });
  if (!end) return report_start_failure(end.error());
  return exit_code_of(*end);
}

Result<int> run_logs(App& app, const Command&, const Flags& flags) {
  pod::LogOptions options{.follow = flags.is_set("follow"), .timestamps = flags.is_set("timestamps")};
  const std::string tail = flags.text("tail", "all");
  if (tail != "all" && tail != "-1") {
    options.tail = parse_unsigned(tail);
    if (!options.tail)
      return fail(ErrorKind::invalid_argument,
                  "invalid argument \"{}\" for \"-n, --tail\" flag: not a number of lines", tail);
  }
  const std::int64_t time = now_ns();
  if (flags.has("since")) {
    TRY(options.since, parse_time(flags.text("since"), time));
  }
  if (flags.has("until")) {
    TRY(options.until, parse_time(flags.text("until"), time));
  }
  TRY(pod::Engine* const engine, app.engine());
  std::optional<Error> broken;
  TRY(engine->logs(flags.arguments()[0], options, [&](int stream, std::string_view bytes) {
    auto written = write_all(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes);
    if (!written) broken = std::move(written.error());
    return !broken;
  }));
  if (broken) return tl::unexpected(std::move(*broken).with_context("output"));
  return 0;
}

constexpr FlagSpec kDetachKeys = {"detach-keys", 0, FlagKind::text, "string",
                                  "Override the key sequence for detaching a container"};

}  // namespace

void add_stream_commands(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "exec",
       .group = "container",
       .summary = "Execute a command in a running container",
       .usages = {"[OPTIONS] CONTAINER COMMAND [ARG...]"},
       .example = "fermata exec -it web sh",
       .least = 2,
       .placement = Placement::before_first,
       .flags = {{"detach", 'd', FlagKind::boolean, "", "Detached mode: run command in the background"},
                 kDetachKeys,
                 {"env", 'e', FlagKind::list, "list", "Set environment variables"},
                 {"env-file", 0, FlagKind::list, "list", "Read in a file of environment variables"},
                 {"interactive", 'i', FlagKind::boolean, "", "Keep STDIN open even if not attached"},
                 {"privileged", 0, FlagKind::boolean, "", "Give extended privileges to the command"},
                 {"timeout", 0, FlagKind::text, "duration",
                  "Kill the command with all that it has started after this time (e.g. \"30s\"); the exit code "
                  "is then 124 (an addition to docker's flags)"},
                 {"tty", 't', FlagKind::boolean, "", "Allocate a pseudo-TTY"},
                 {"user", 'u', FlagKind::text, "string",
                  "Username or UID (format: \"<name|uid>[:<group|gid>]\")"},
                 {"workdir", 'w', FlagKind::text, "string", "Working directory inside the container"}},
       .primary = true,
       .run = run_exec});
  commands.push_back(
      {.name = "attach",
       .group = "container",
       .summary = "Attach local standard input, output, and error streams to a running container",
       .usages = {"[OPTIONS] CONTAINER"},
       .example = "fermata attach web",
       .least = 1,
       .most = 1,
       .flags = {kDetachKeys,
                 {"no-stdin", 0, FlagKind::boolean, "", "Do not attach STDIN"},
                 {"sig-proxy", 0, FlagKind::boolean, "",
                  "Proxy all received signals to the process (default true)"}},
       .run = run_attach});
  commands.push_back({.name = "logs",
                      .group = "container",
                      .summary = "Fetch the logs of a container",
                      .usages = {"[OPTIONS] CONTAINER"},
                      .example = "fermata logs -f --tail 20 web",
                      .least = 1,
                      .most = 1,
                      .flags = {{"follow", 'f', FlagKind::boolean, "", "Follow log output"},
                                {"since", 0, FlagKind::text, "string",
                                 "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative "
                                 "(e.g. \"42m\" for 42 minutes)"},
                                {"tail", 'n', FlagKind::text, "string",
                                 "Number of lines to show from the end of the logs (default \"all\")"},
                                {"timestamps", 't', FlagKind::boolean, "", "Show timestamps"},
                                {"until", 0, FlagKind::text, "string",
                                 "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative "
                                 "(e.g. \"42m\" for 42 minutes)"}},
                      .run = run_logs});
}

}  // namespace fermata::cli
