#include "cli/foreground.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "cli/command.h"
#include "cli/terminal.h"

namespace fermata::cli {
namespace {
constexpr std::string_view kDefaultDetachKeys = "ctrl-p,ctrl-q";
constexpr int kEngineFailed = 125;
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
  auto session = open(foreground.selection());
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
  options.on_signal = [&](int signal) {
    if (foreground.forward_signals) return forward_signal(signal);
    mode.reset();
    ::_exit(128 + signal);
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
  if (end.why == StreamEnd::Why::lost)
    print_error(Error(ErrorKind::unavailable, 0,
                      "the pod's monitor went away (MonitorLost): the pod was ended with it; 'fermata logs' "
                      "shows what was written before"));
  return end.exit_code;
}

}  // namespace fermata::cli
