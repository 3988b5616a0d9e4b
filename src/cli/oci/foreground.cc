#include "cli/oci/foreground.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/files.h"
#include "cli/core/terminal.h"
#include "kernel/pidfd.h"

namespace fermata::cli::oci {
namespace {

constexpr std::size_t kChunk = 32 * 1024;

// Of the terminal in front of us, for the one inside.
void pass_size(int console) {
  winsize size = {};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) ::ioctl(console, TIOCSWINSZ, &size);
}

// false: the end of the stream. EIO is how a terminal's master says it.
Result<bool> copy(int from, int to) {
  std::array<char, kChunk> bytes;
  const ssize_t got = ::read(from, bytes.data(), bytes.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) return false;
  TRY(write_all(to, {bytes.data(), static_cast<std::size_t>(got)}));
  return true;
}

class Watch {
 public:
  Watch(const bundle::Started& process, const HeldSignals& signals) : process_(process), signals_(signals) {
    input_open_ = output_open_ = process.console.valid();
  }

  Result<int> run() {
    if (process_.console) pass_size(process_.console.get());
    while (!code_) {
      std::array<pollfd, 3> ready = {pollfd{signals_.fd(), POLLIN, 0},
                                     pollfd{output_open_ ? process_.console.get() : -1, POLLIN, 0},
                                     pollfd{input_open_ ? STDIN_FILENO : -1, POLLIN, 0}};
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR)
        return fail(errno, "wait for the process");
      if (ready[1].revents != 0) {
        TRY(output_open_, copy(process_.console.get(), STDOUT_FILENO));
      }
      if (ready[2].revents != 0) {
        TRY(input_open_, copy(STDIN_FILENO, process_.console.get()));
      }
      if (ready[0].revents != 0) take_signal();
    }
    while (output_open_ && has_output()) {
      TRY(output_open_, copy(process_.console.get(), STDOUT_FILENO));
    }
    return *code_;
  }

 private:
  bool has_output() const {
    pollfd ready = {process_.console.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0;
  }

  void take_signal() {
    signalfd_siginfo signal = {};
    if (::read(signals_.fd(), &signal, sizeof signal) != sizeof signal) return;
    if (signal.ssi_signo == SIGCHLD)
      reap();
    else if (signal.ssi_signo == SIGWINCH && process_.console)
      pass_size(process_.console.get());
    else
      kernel::send_signal(process_.pidfd.get(), static_cast<int>(signal.ssi_signo));
  }

  void reap() {
    for (;;) {
      siginfo_t how = {};
      if (::waitid(P_ALL, 0, &how, WEXITED | WNOHANG) != 0 || how.si_pid == 0) return;
      if (how.si_pid == process_.pid) code_ = how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
    }
  }

  const bundle::Started& process_;
  const HeldSignals& signals_;
  bool input_open_, output_open_;
  std::optional<int> code_;
};

}  // namespace

Result<HeldSignals> HeldSignals::hold() {
  sigset_t all;
  ::sigfillset(&all);
  // Of our own making.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGURG, SIGPIPE})
    ::sigdelset(&all, signal);
  if (::sigprocmask(SIG_BLOCK, &all, nullptr) != 0) return fail(errno, "hold signals");
  UniqueFd fd(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(errno, "hold signals");
  return HeldSignals(std::move(fd));
}

Result<int> stand_by(const bundle::Started& process, const HeldSignals& signals) {
  std::optional<RawMode> raw;
  if (process.console && is_terminal(STDIN_FILENO)) {
    TRY(RawMode entered, RawMode::enter(STDIN_FILENO));
    raw.emplace(std::move(entered));
  }
  return Watch(process, signals).run();
}

}  // namespace fermata::cli::oci
