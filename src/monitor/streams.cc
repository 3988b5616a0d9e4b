// Standard streams of a process: pipes or a terminal on its side, the log and the clients on ours.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "monitor/process.h"

namespace fermata::monitor {
namespace {

constexpr int kDrainRounds = 64;  // of kMaxFrameData each: what a pipe may hold and some more

bool keeps_clients_waiting(const PodProcess& process) {
  if (process.state != State::running) return false;  // the dead are read to their end
  for (const Connection* client = process.clients; client != nullptr; client = client->next_client)
    if (client->backlog > kClientBacklog && !client->broken) return true;
  return false;
}

void deliver(Output& output, std::size_t size) {
  PodProcess& process = *output.process;
  const unsigned char* data = loop::input_scratch();
  append_log(process.log, output.stream, reinterpret_cast<const char*>(data), size, loop::realtime_ns());
  const std::uint32_t bit = output.stream == 0 ? kAttachStdout : kAttachStderr;
  const Stream stream = output.stream == 0 ? Stream::standard_output : Stream::standard_error;
  for (Connection* client = process.clients; client != nullptr; client = client->next_client)
    if (client->mode == Connection::Mode::streaming && (client->streams & bit) != 0)
      send_frame(*client, stream, data, size);
}

enum class Read { some, nothing_now, ended };

Read read_output(Output& output) {
  for (;;) {
    const ssize_t got = ::read(output.watch.fd, loop::input_scratch(), kMaxFrameData);
    if (got > 0) {
      deliver(output, static_cast<std::size_t>(got));
      return Read::some;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return Read::nothing_now;
    // The end; EIO is a terminal's, whose last slave was closed.
    loop::close_watch(output.watch);
    return Read::ended;
  }
}

void output_ready(Watch* watch, std::uint32_t) {
  auto& output = *reinterpret_cast<Output*>(watch);
  PodProcess& process = *output.process;
  if (read_output(output) == Read::ended && process.state == State::draining &&
      process.output[0].watch.fd < 0 && process.output[1].watch.fd < 0)
    return finish(process);
  update_flow(process);
}

void free_pending(Input& input) {
  std::free(input.pending);
  input.pending = nullptr;
  input.size = input.done = 0;
}

void close_input(Input& input) {
  free_pending(input);
  loop::close_watch(input.watch);
}

void update_senders(PodProcess& process) {
  for (Connection* client = process.clients; client != nullptr; client = client->next_client)
    if (client->sends_stdin) update_connection(*client);
}

// Writes what is pending, as much as fits.
void flush_input(Input& input) {
  while (input.done < input.size) {
    const ssize_t put = ::write(input.watch.fd, input.pending + input.done, input.size - input.done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) {
      loop::watch(input.watch, EPOLLOUT);
      return;
    }
    if (put < 0) return close_input(input);  // nobody reads it any more
    input.done += static_cast<std::size_t>(put);
  }
  free_pending(input);
  loop::unwatch(input.watch);
  if (input.closing) close_input(input);
}

void input_ready(Watch* watch, std::uint32_t) {
  auto& input = *reinterpret_cast<Input*>(watch);
  flush_input(input);
  update_senders(*input.process);
}

// The common case writes through; only what the container does not take is copied.
void feed_input(Input& input, const unsigned char* data, std::size_t size) {
  if (input.watch.fd < 0 || size == 0 || input.closing) return;
  if (input.pending == nullptr) {
    const ssize_t put = ::write(input.watch.fd, data, size);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return close_input(input);
    if (put > 0) {
      data += put;
      size -= static_cast<std::size_t>(put);
    }
    if (size == 0) return;
  }
  auto* grown = static_cast<char*>(std::realloc(input.pending, input.size + size));
  if (grown == nullptr) return close_input(input);  // a hole in the input would be worse than its end
  std::memcpy(grown + input.size, data, size);
  input.pending = grown;
  input.size += size;
  flush_input(input);
}

// Ctrl-D would be the terminal's way to say it; the master itself must stay open.
void end_input(PodProcess& process) {
  if (process.has(kTerminal) || process.input.watch.fd < 0) return;
  process.input.closing = true;
  if (process.input.pending == nullptr) close_input(process.input);
}

int make_pipe(int& ours, int& childs, bool we_write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
  ours = ends[we_write ? 1 : 0];
  childs = ends[we_write ? 0 : 1];
  return ::fcntl(ours, F_SETFL, O_NONBLOCK | (we_write ? O_WRONLY : O_RDONLY)) == 0 ? 0 : errno;
}

}  // namespace

int open_streams(PodProcess& process, int (&child_fds)[3]) {
  for (int i = 0; i < 2; ++i) {
    process.output[i].process = &process;
    process.output[i].stream = i;
    process.output[i].watch.ready = output_ready;
  }
  process.input.process = &process;
  process.input.watch.ready = input_ready;
  if (process.has(kTerminal)) return 0;
  int error = 0;
  if (process.has(kStdinOpen)) error = make_pipe(process.input.watch.fd, child_fds[0], true);
  for (int i = 0; i < 2 && error == 0; ++i)
    error = make_pipe(process.output[i].watch.fd, child_fds[1 + i], false);
  return error;
}

void take_console(PodProcess& process, int master) {
  if (!process.has(kTerminal) || process.output[0].watch.fd >= 0 ||
      ::fcntl(master, F_SETFL, O_NONBLOCK | O_RDWR) != 0) {
    ::close(master);
    return;
  }
  process.output[0].watch.fd = master;
  // A second descriptor, for epoll knows each but once and input waits apart from output.
  if (process.has(kStdinOpen)) process.input.watch.fd = ::fcntl(master, F_DUPFD_CLOEXEC, 0);
  if (process.rows != 0 || process.columns != 0) resize_terminal(process, process.rows, process.columns);
}

void start_streams(PodProcess& process) { update_flow(process); }

bool drain_streams(PodProcess& process) {
  bool ended = true;
  for (Output& output : process.output) {
    Read last = output.watch.fd < 0 ? Read::ended : Read::some;
    for (int round = 0; round < kDrainRounds && last == Read::some; ++round) last = read_output(output);
    if (last != Read::ended) ended = false;
  }
  return ended;
}

void close_streams(PodProcess& process) {
  for (Output& output : process.output) loop::close_watch(output.watch);
  close_input(process.input);
}

void update_flow(PodProcess& process) {
  if (process.state != State::running && process.state != State::draining) return;
  const bool hold = keeps_clients_waiting(process);
  for (Output& output : process.output) {
    if (output.watch.fd < 0) continue;
    if (hold)
      loop::unwatch(output.watch);  // not just without EPOLLIN: HUP would come again and again
    else
      loop::watch(output.watch, EPOLLIN);
  }
}

bool input_is_full(const PodProcess* process) {
  return process != nullptr && process->input.pending != nullptr;
}

void take_frame(Connection& connection, Stream stream, const unsigned char* data, std::size_t size) {
  PodProcess* process = connection.process;
  if (process == nullptr) return;  // it has ended; the client does not know yet
  switch (stream) {
    case Stream::standard_input:
      if (!connection.sends_stdin) return;
      feed_input(process->input, data, size);
      return update_senders(*process);
    case Stream::stdin_closed:
      return client_input_ended(connection);
    case Stream::resize: {
      std::uint32_t numbers[2];
      std::memcpy(numbers, data, sizeof numbers);
      resize_terminal(*process, numbers[0], numbers[1]);
      return;
    }
    default:
      return break_connection(connection);
  }
}

int resize_terminal(PodProcess& process, std::uint32_t rows, std::uint32_t columns) {
  if (!process.has(kTerminal)) return ENOTTY;
  process.rows = rows;
  process.columns = columns;
  const int master = process.output[0].watch.fd;
  if (master < 0) return process.state == State::starting ? 0 : ESRCH;
  winsize size = {};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  return ::ioctl(master, TIOCSWINSZ, &size) == 0 ? 0 : errno;
}

void client_input_ended(Connection& connection) {
  if (!connection.sends_stdin) return;
  connection.sends_stdin = false;
  // An exec session's input is its client's alone.
  if (connection.process != nullptr &&
      (connection.process->has(kStdinOnce) || connection.process->has(kExec)))
    end_input(*connection.process);
}

}  // namespace fermata::monitor
