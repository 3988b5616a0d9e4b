#include "cli/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/files.h"
#include "cli/core/terminal.h"

namespace fermata::cli {
namespace {

// TSTP, TTIN and CONT stay with the shell's job control.
constexpr std::array kForwarded = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};
constexpr std::size_t kChunk = 32 * 1024;

volatile int noted_writer = -1;

void note(int signal) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe holds thousands of signals that nobody has read; one more changes nothing.
  if (::write(noted_writer, &byte, 1) < 0) errno = saved;
  errno = saved;
}

void set_handlers(void (*handler)(int), bool forwarded) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGWINCH, &action, nullptr);
  if (!forwarded) return;
  for (const int signal : kForwarded) {
    struct sigaction old = {};
    // What the parent ignores (nohup) stays ignored.
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

class Carrier {
 public:
  Carrier(pod::Session& session, SignalNotes* signals, const StreamOptions& options)
      : session_(session),
        signals_(signals),
        options_(options),
        keys_(options.terminal ? options.detach_keys : std::string()) {
    input_open_ = options.forward_input;
  }

  Result<StreamEnd> run() {
    for (;;) {
      TRY(wait());
      if (ready_[kSignals].revents != 0) TRY(pass_signals());
      if (ready_[kSession].revents & ~POLLOUT) {
        TRY(const bool more, pass_output());
        if (!more) return end_;
      }
      if (ready_[kInput].revents != 0) {
        TRY(const bool more, read_input());
        if (!more) return end_;
      }
      if (!pending_.empty() && (ready_[kSession].revents & POLLOUT)) TRY(write_input());
    }
  }

 private:
  enum Slot { kSession, kInput, kSignals, kSlots };

  Result<void> wait() {
    // Input is only read when the last of it is gone: output must flow while the container does not read.
    const bool writing = !pending_.empty();
    ready_[kSession] = {session_.fd(), static_cast<short>(POLLIN | (writing ? POLLOUT : 0)), 0};
    ready_[kInput] = {input_open_ && !writing ? options_.input : -1, POLLIN, 0};
    ready_[kSignals] = {signals_ != nullptr ? signals_->fd() : -1, POLLIN, 0};
    while (::poll(ready_.data(), ready_.size(), -1) < 0)
      if (errno != EINTR) return fail(errno, "wait for the container's streams");
    return {};
  }

  Result<void> pass_signals() {
    while (const int signal = signals_->next()) {
      if (signal != SIGWINCH) {
        if (options_.on_signal) options_.on_signal(signal);
        continue;
      }
      if (!options_.terminal) continue;
      const TerminalSize size = terminal_size(options_.output);
      // The process may have ended between; its end is read next.
      if (size.rows != 0) (void)session_.resize(size.rows, size.columns);
    }
    return {};
  }

  // false: nothing more will come.
  Result<bool> pass_output() {
    TRY(const auto event, session_.read());
    switch (event.kind) {
      case pod::Session::Event::Kind::output:
        TRY(write_all(options_.output, event.data));
        return true;
      case pod::Session::Event::Kind::error_output:
        TRY(write_all(options_.error_output, event.data));
        return true;
      case pod::Session::Event::Kind::ended:
        end_ = {StreamEnd::Why::exited, event.exit_code, event.timed_out};
        return false;
      case pod::Session::Event::Kind::closed:
        break;
    }
    end_ = {StreamEnd::Why::lost, 137, false};
    return false;
  }

  Result<bool> read_input() {
    std::array<char, kChunk> buffer;
    const ssize_t got = ::read(options_.input, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) {
      // A terminal that hung up gives EIO: the end, as for a file.
      input_open_ = false;
      TRY(session_.close_stdin());
      return true;
    }
    auto typed = keys_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    pending_ = std::move(typed.bytes);
    if (!typed.detach) return true;
    if (!pending_.empty()) TRY(write_input());
    end_ = {StreamEnd::Why::detached, 0, false};
    return false;
  }

  Result<void> write_input() {
    const auto written = session_.write_stdin(pending_);
    pending_.clear();
    // The process closed its stdin or ended: no reason to stop showing its output.
    if (!written) input_open_ = false;
    return {};
  }

  pod::Session& session_;
  SignalNotes* signals_;
  const StreamOptions& options_;
  DetachKeys keys_;
  bool input_open_ = false;
  std::string pending_;
  std::array<pollfd, kSlots> ready_ = {};
  StreamEnd end_;
};

}  // namespace

Result<SignalNotes> SignalNotes::install(bool forwarded) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail(errno, "create a pipe");
  noted_writer = ends[1];
  set_handlers(note, forwarded);
  return SignalNotes(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

SignalNotes::~SignalNotes() {
  if (!writer_) return;
  struct sigaction old = {};
  const bool forwarded = ::sigaction(SIGTERM, nullptr, &old) == 0 && old.sa_handler == note;
  set_handlers(SIG_DFL, forwarded);
  noted_writer = -1;
}

int SignalNotes::next() {
  unsigned char signal = 0;
  return ::read(reader_.get(), &signal, 1) == 1 ? signal : 0;
}

Result<StreamEnd> carry_streams(pod::Session& session, SignalNotes* signals, const StreamOptions& options) {
  return Carrier(session, signals, options).run();
}

}  // namespace fermata::cli
