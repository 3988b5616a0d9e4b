#include "e2e/support/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <ostream>
#include <sstream>
#include <thread>

namespace fermata::e2e {
namespace {

using std::chrono::milliseconds;

// What stays open after the program has ended is somebody else's: this long is given for the last bytes.
constexpr double kDrainSeconds = 2;

struct Pipe {
  UniqueFd read_end, write_end;
  Pipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
};

std::vector<char*> pointers(const Arguments& arguments) {
  std::vector<char*> result;
  for (const auto& argument : arguments) result.push_back(const_cast<char*>(argument.c_str()));
  result.push_back(nullptr);
  return result;
}

Arguments environment_with(const std::map<std::string, std::string>& added) {
  Arguments result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!added.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [key, value] : added) result.push_back(key + "=" + value);
  return result;
}

// In the child. Only async-signal-safe calls: the test may have threads.
[[noreturn]] void execute(int in, int out, int err, bool terminal, const RunOptions& options,
                          char* const* argv, char* const* envp) {
  if (terminal) {
    ::setsid();
    ::ioctl(in, TIOCSCTTY, 0);
  }
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::signal(SIGPIPE, SIG_DFL);
  if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(198);
  if (options.uid != 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(options.uid) != 0 || ::setuid(options.uid) != 0)
      ::_exit(199);
  }
  ::execvpe(argv[0], argv, envp);
  ::_exit(197);
}

double slowness() {
  static const double factor = [] {
    const char* text = std::getenv("FERMATA_TEST_SLOWNESS");
    const double value = text ? std::atof(text) : 1;
    return value > 0 ? value : 1;
  }();
  return factor;
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

Seconds scaled(double seconds) { return Seconds(seconds * slowness()); }

std::string scaled_flag(double seconds) {
  return fmt::format("{}ms", static_cast<long>(scaled(seconds).count() * 1000));
}

int rounds(int count) { return std::max(std::min(count, 3), static_cast<int>(count / slowness())); }

bool eventually(const std::function<bool()>& holds, double seconds) {
  const auto deadline = Clock::now() + scaled(seconds);
  auto pause = milliseconds(2);
  while (!holds()) {
    if (Clock::now() >= deadline) return holds();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, milliseconds(50));
  }
  return true;
}

std::string Outcome::line() const { return out.ends_with('\n') ? out.substr(0, out.size() - 1) : out; }

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  const auto shortened = [](const std::string& text) {
    return text.size() <= 4000 ? text
                               : text.substr(0, 4000) + "... (" + std::to_string(text.size()) + " bytes)";
  };
  stream << "exit code " << outcome.code << (outcome.timed_out ? ", KILLED AT ITS DEADLINE" : "") << " after "
         << outcome.took.count() << " s";
  if (!outcome.out.empty()) stream << "\n--- stdout\n" << shortened(outcome.out);
  if (!outcome.err.empty()) stream << "\n--- stderr\n" << shortened(outcome.err);
  return stream << "\n";
}

Background::Background(const Arguments& arguments, Streams streams, const RunOptions& options) {
  const auto argv = pointers(arguments);
  const Arguments environment = environment_with(options.env);
  const auto envp = pointers(environment);
  Pipe in, out, err;
  UniqueFd master, slave;
  const bool terminal = streams == Streams::terminal;
  if (terminal) {
    master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    char name[64] = "";
    if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0 ||
        ::ptsname_r(master.get(), name, sizeof name) != 0)
      std::abort();
    slave.reset(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    const winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(slave.get(), TIOCSWINSZ, &size);
  }
  const int child_in = terminal ? slave.get() : in.read_end.get();
  const int child_out = terminal ? slave.get() : out.write_end.get();
  const int child_err = terminal ? slave.get() : err.write_end.get();
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) execute(child_in, child_out, child_err, terminal, options, argv.data(), envp.data());
  if (terminal) {
    in_.reset(::fcntl(master.get(), F_DUPFD_CLOEXEC, 0));
    out_fd_ = std::move(master);
  } else {
    in_ = std::move(in.write_end);
    out_fd_ = std::move(out.read_end);
    err_fd_ = std::move(err.read_end);
  }
  for (const int fd : {in_.get(), out_fd_.get(), err_fd_.get()})
    if (fd >= 0) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

Background::~Background() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  reap(true);
}

bool Background::reap(bool block) {
  if (reaped_) return true;
  pid_t result = -1;
  do result = ::waitpid(pid_, &status_, block ? 0 : WNOHANG);
  while (result < 0 && errno == EINTR);
  reaped_ = result == pid_;
  return reaped_;
}

bool Background::pump(milliseconds patience) {
  pollfd polled[2] = {{out_fd_.get(), POLLIN, 0}, {err_fd_.get(), POLLIN, 0}};
  if (!out_fd_ && !err_fd_) return false;
  ::poll(polled, 2, static_cast<int>(patience.count()));
  const auto take = [](UniqueFd& fd, std::string& into, short events) {
    if (!fd || events == 0) return;
    static thread_local char buffer[256 * 1024];
    const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
    // EIO: the last holder of the terminal has gone.
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) fd.reset();
  };
  take(out_fd_, out_, polled[0].revents);
  take(err_fd_, err_, polled[1].revents);
  return out_fd_ || err_fd_;
}

void Background::write(std::string_view bytes) {
  const auto deadline = Clock::now() + scaled(30);
  while (!bytes.empty() && Clock::now() < deadline) {
    const ssize_t count = ::write(in_.get(), bytes.data(), bytes.size());
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
      return;  // the reader has gone: its outcome tells
    }
    // Without reading meanwhile an echoing program would block, and then so would we.
    if (!bytes.empty()) pump(milliseconds(1));
  }
}

void Background::close_input() { in_.reset(); }

void Background::resize(unsigned short rows, unsigned short columns) {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(out_fd_.get(), TIOCSWINSZ, &size);
}

void Background::signal(int number) {
  if (!reaped_) ::kill(pid_, number);
}

bool Background::read_until(std::string_view text, double seconds) {
  const auto deadline = Clock::now() + scaled(seconds);
  while (!contains(out_, text) && !contains(err_, text)) {
    if (Clock::now() >= deadline || !pump(milliseconds(20)))
      return contains(out_, text) || contains(err_, text);
  }
  return true;
}

Outcome Background::finish(double seconds) {
  close_input();
  return wait(seconds);
}

Outcome Background::wait(double seconds) {
  Outcome outcome;
  const auto deadline = Clock::now() + scaled(seconds);
  bool open = true;
  while (!reap(false)) {
    if (Clock::now() >= deadline) {
      outcome.timed_out = true;
      ::kill(pid_, SIGKILL);
      reap(true);
      break;
    }
    if (open)
      open = pump(milliseconds(5));
    else
      std::this_thread::sleep_for(milliseconds(2));
  }
  outcome.took = Clock::now() - began_;
  const auto drained = Clock::now() + scaled(kDrainSeconds);
  while (pump(milliseconds(20)) && Clock::now() < drained) {
  }
  outcome.kept_open = !outcome.timed_out && (out_fd_ || err_fd_);
  outcome.code = code_of(status_);
  outcome.out = out_;
  outcome.err = err_;
  return outcome;
}

Outcome run_program(const Arguments& arguments, const RunOptions& options) {
  Background program(arguments, Background::Streams::pipes, options);
  program.write(options.input);
  return program.finish(options.seconds);
}

std::string slurp(const std::string& path) {
  // Not a stream: a file of /proc whose process ends meanwhile makes the iterator throw.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string result;
  char block[16384];
  for (ssize_t size = 0; fd && (size = ::read(fd.get(), block, sizeof block)) > 0;)
    result.append(block, static_cast<std::size_t>(size));
  return result;
}

void spill(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> result;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) result.push_back(line);
  return result;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace fermata::e2e
