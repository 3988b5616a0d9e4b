#include "cni/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "base/files.h"
#include "kernel/pidfd.h"

namespace fermata::cni {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOutput = 8u << 20;
constexpr std::size_t kMaxErrors = 64u << 10;
// How long a program may be in the middle of being replaced (ETXTBSY).
constexpr auto kReplacement = std::chrono::seconds(5);
constexpr auto kReplacementStep = std::chrono::milliseconds(50);

struct Pipe {
  UniqueFd reader, writer;
  static Result<Pipe> make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "make a pipe");
    Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
    // Ours alone: the other end is another description.
    if (::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) != 0) return fail(errno, "prepare a pipe");
    return pipe;
  }
};

// A group of its own, so that it can be killed whole; no signal blocked or ignored, as a daemon's may be.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);  // neither of the two can fail with glibc or musl
    ::posix_spawnattr_init(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }

  Result<void> set(const std::array<int, 3>& streams) {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int error = 0;
    for (int stream = 0; stream < 3 && error == 0; ++stream)
      error =
          ::posix_spawn_file_actions_adddup2(&actions_, streams[static_cast<std::size_t>(stream)], stream);
    if (error != 0) return fail(error, "prepare a process");
    return {};
  }
  int spawn(pid_t& pid, const Program& program) const {
    std::vector<char*> environment;
    for (const std::string& text : program.environment)
      environment.push_back(const_cast<char*>(text.c_str()));
    environment.push_back(nullptr);
    std::vector<char*> arguments = {const_cast<char*>(program.path.c_str())};
    for (const std::string& text : program.arguments) arguments.push_back(const_cast<char*>(text.c_str()));
    arguments.push_back(nullptr);
    return ::posix_spawn(&pid, program.path.c_str(), &actions_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;
};

int reap(const Child& child) {
  siginfo_t how = {};
  while (::waitid(P_PID, static_cast<id_t>(child.pid), &how, WEXITED) != 0 && errno == EINTR) {
  }
  return how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
}

// The group's number cannot be another's: its leader is not reaped yet.
int kill_group(const Child& child) {
  ::kill(-child.pid, SIGKILL);
  return reap(child);
}

Result<Child> start(const Program& program, const std::array<int, 3>& streams) {
  SpawnSettings settings;
  TRY(settings.set(streams));
  Child child;
  const auto deadline = Clock::now() + kReplacement;
  int error = settings.spawn(child.pid, program);
  for (; error == ETXTBSY && Clock::now() < deadline; error = settings.spawn(child.pid, program))
    std::this_thread::sleep_for(kReplacementStep);
  if (error != 0) return fail(error, "execute '{}'", program.path);
  child.pidfd = kernel::open_pidfd(child.pid);
  if (child.pidfd) return child;
  const int number = errno;
  kill_group(child);
  return fail(number, "open process {}", child.pid);
}

// Takes what is there now. False: the end.
bool drain(int fd, std::string& text) {
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMaxOutput) return true;
  }
}

class Streams {
 public:
  Streams(UniqueFd output, UniqueFd errors, ProgramEnd& end)
      : output_(std::move(output)), errors_(std::move(errors)), end_(end) {}

  // Until the program ends, or the time.
  Result<void> follow(const Child& child, Clock::time_point deadline) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) {
        end_.timed_out = true;
        return {};
      }
      std::array<pollfd, 3> polled = {pollfd{child.pidfd.get(), POLLIN, 0}, pollfd{output_.get(), POLLIN, 0},
                                      pollfd{errors_.get(), POLLIN, 0}};
      const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(left));
      if (ready < 0 && errno != EINTR) return fail(errno, "wait for process {}", child.pid);
      if (ready <= 0) continue;
      TRY(take());
      if (polled[0].revents != 0) return {};
    }
  }
  Result<void> take() {
    if (output_ && !drain(output_.get(), end_.output)) output_.reset();
    if (end_.output.size() > kMaxOutput) return fail(ErrorKind::failed, "more than 8 MiB of output");
    if (errors_ && !drain(errors_.get(), end_.errors)) errors_.reset();
    if (end_.errors.size() > kMaxErrors) end_.errors.erase(0, end_.errors.size() - kMaxErrors);
    return {};
  }

 private:
  UniqueFd output_, errors_;
  ProgramEnd& end_;
};

}  // namespace

Result<ProgramEnd> run_program(const Program& program) {
  TRY(const UniqueFd input, memory_file("input", program.input));
  if (::lseek(input.get(), 0, SEEK_SET) < 0) return fail(errno, "prepare the input of '{}'", program.path);
  TRY(Pipe output, Pipe::make());
  TRY(Pipe errors, Pipe::make());
  const auto deadline = Clock::now() + program.timeout;
  TRY(const Child child, start(program, {input.get(), output.writer.get(), errors.writer.get()}));
  output.writer.reset();
  errors.writer.reset();

  ProgramEnd end;
  Streams streams(std::move(output.reader), std::move(errors.reader), end);
  auto followed = streams.follow(child, deadline);
  end.exit_code = !followed || end.timed_out ? kill_group(child) : reap(child);
  // Between the last look and the end it may have said more.
  if (followed) followed = streams.take();
  if (!followed) return fail_with(std::move(followed.error()), fmt::format("run '{}'", program.path));
  return end;
}

}  // namespace fermata::cni
