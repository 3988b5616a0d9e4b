#include "cli/foreground.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "base/files.h"
#include "cli/command.h"
#include "cli/core/terminal.h"

namespace fermata::cli {
namespace {
constexpr std::string_view kDefaultDetachKeys = "ctrl-p,ctrl-q";
constexpr int kEngineFailed = 125;
constexpr int kPatience = 3;  // requests to end that a container may ignore before we go
}  // namespace

Result<void> Foreground::read_detach_keys(const Flags& flags) {
  TRY(detach_keys, parse_detach_keys(flags.text("detach-keys", kDefaultDetachKeys)));
  return {};
}

Result<void> Foreground::check_terminal() const {
  if (terminal && input && !is_terminal(STDIN_FILENO))
    return fail(ErrorKind::invalid_argument, "the input device is not a TTY");
  return {};
}

pod::StreamSelection Foreground::selection() const {
  pod::StreamSelection selection{.stdin_ = input, .stdout_ = output, .stderr_ = error_output};
  if (terminal) {
    const TerminalSize size = terminal_size(STDOUT_FILENO);
    selection.rows = size.rows;
    selection.columns = size.columns;
  }
  return selection;
}

tl::expected<StreamEnd, pod::StartFailure> run_foreground(const Foreground& foreground,
                                                          const OpenSession& open,
                                                          const std::function<void(int)>& forward_signal) {
  const auto engine_failed = [](Error error) {
    return tl::unexpected(pod::StartFailure{kEngineFailed, std::move(error)});
  };
  // In raw mode a signal that ended us would leave the terminal unusable: then they are always noted.
  const bool raw = foreground.terminal && foreground.input && is_terminal(STDIN_FILENO);
  auto signals = SignalNotes::install(foreground.forward_signals || raw);
  if (!signals) return engine_failed(std::move(signals.error()));
  // With no stream at all the end would not be told: the output is asked for and dropped.
  pod::StreamSelection selection = foreground.selection();
  UniqueFd nowhere;
  if (!selection.any()) {
    auto null = open_file("/dev/null", O_WRONLY);
    if (!null) return engine_failed(std::move(null.error()));
    nowhere = std::move(*null);
    selection.stdout_ = true;
  }
  auto session = open(selection);
  if (!session) return tl::unexpected(std::move(session.error()));
  std::optional<RawMode> mode;
  if (raw) {
    auto entered = RawMode::enter(STDIN_FILENO);
    if (!entered) return engine_failed(std::move(entered.error()));
    mode.emplace(std::move(*entered));
  }
  StreamOptions options{.terminal = foreground.terminal,
                        .forward_input = foreground.input,
                        .detach_keys = foreground.detach_keys};
  if (nowhere) options.output = nowhere.get();
  int asked_to_end = 0;
  options.on_signal = [&](int signal) {
    if (signal == SIGINT || signal == SIGTERM) ++asked_to_end;
    const bool give_up = asked_to_end == kPatience;
    if (foreground.forward_signals && !give_up) return forward_signal(signal);
    mode.reset();
    if (!give_up) ::_exit(128 + signal);
    // As docker: the container goes on without us.
    (void)write_all(STDERR_FILENO, fmt::format("got {} SIGTERM/SIGINTs, forcefully exiting\n", kPatience));
    ::_exit(1);
  };
  auto end = carry_streams(**session, &*signals, options);
  if (!end) return engine_failed(std::move(end.error()));
  return *end;
}

int report_start_failure(const pod::StartFailure& failure) {
  print_error(failure.error);
  return failure.exit_code;
}

int exit_code_of(const StreamEnd& end) {
  if (end.why == StreamEnd::Why::detached) {
    (void)write_all(STDERR_FILENO, "read escape sequence\n");
    return 1;
  }
  if (end.why == StreamEnd::Why::lost)
    print_error(Error(ErrorKind::unavailable, 0,
                      "the pod's monitor went away (MonitorLost): the pod was ended with it; 'fermata logs' "
                      "shows what was written before"));
  return end.exit_code;
}

}  // namespace fermata::cli
