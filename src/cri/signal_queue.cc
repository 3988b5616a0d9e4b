#include "cri/signal_queue.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace fermata::cri {
namespace {

// Of a handler. It stays open, for a signal may come at any time.
int writer = -1;

void pass_on(int signal) {
  const int saved = errno;
  const char byte = static_cast<char>(signal);
  // Full: as many are waiting as anyone will look at.
  [[maybe_unused]] const ssize_t written = ::write(writer, &byte, 1);
  errno = saved;
}

void come_to_nothing(int) {}

Result<void> handle(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  if (::sigaction(signal, &action, nullptr) != 0) return fail(errno, "sigaction");
  return {};
}

}  // namespace

Result<SignalQueue> SignalQueue::open(std::initializer_list<int> signals) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail(errno, "pipe");
  SignalQueue queue{UniqueFd(ends[0])};
  if (writer >= 0) ::close(writer);
  writer = ends[1];
  for (const int signal : signals) TRY(handle(signal, pass_on));
  TRY(handle(SIGPIPE, come_to_nothing));
  return queue;
}

Result<std::optional<int>> SignalQueue::next(std::optional<std::chrono::milliseconds> timeout) const {
  pollfd waiting = {reader_.get(), POLLIN, 0};
  const int ready = ::poll(&waiting, 1, timeout ? static_cast<int>(timeout->count()) : -1);
  if (ready < 0 && errno != EINTR) return fail(errno, "poll");
  char byte = 0;
  if (::read(reader_.get(), &byte, 1) == 1) return std::optional<int>(byte);
  return std::optional<int>();
}

}  // namespace fermata::cri
