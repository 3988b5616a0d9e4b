// A pause that was started for a test, and orphans for it.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/files.h"

namespace fermata::test {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

inline const std::string kPause = FERMATA_PROGRAMS "/pause";
inline constexpr auto kPatience = milliseconds(20000);  // software emulation is slow

inline bool eventually(const std::function<bool()>& holds) {
  for (const auto end = steady_clock::now() + kPatience; steady_clock::now() < end;) {
    if (holds()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return holds();
}

// "" as well for a process that ends while it is read (ESRCH).
inline std::string slurp(const std::string& path) { return read_file(path).value_or(""); }

inline std::string status_field(pid_t pid, const std::string& field) {
  std::istringstream lines(slurp("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);)
    if (line.rfind(field + ":\t", 0) == 0) return line.substr(field.size() + 2);
  return "";
}

inline std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && status_field(pid, "PPid") == std::to_string(parent)) children.push_back(pid);
  }
  return children;
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read_end = UniqueFd(ends[0]);
    write_end = UniqueFd(ends[1]);
  }
  UniqueFd read_end, write_end;
};

// A started pause; killed and reaped at the end of the test, whatever happens.
class Process {
 public:
  struct Options {
    std::string program = kPause;
    std::vector<std::string> arguments = {"/pause"};
    unsigned long clone_flags = 0;
    std::function<void()> before_exec = [] {};
    bool by_descriptor = false;
  };

  explicit Process(const Options& options) {
    std::vector<char*> argv;
    for (const auto& argument : options.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    char* environment[] = {nullptr};
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, options.clone_flags | SIGCHLD, 0, 0, 0, 0));
    if (pid_ == 0) {
      ::dup2(output_.write_end.get(), 1);
      ::dup2(errors_.write_end.get(), 2);
      options.before_exec();
      if (options.by_descriptor) {
        const int program = ::open(options.program.c_str(), O_RDONLY | O_CLOEXEC);
        ::syscall(SYS_execveat, program, "", argv.data(), environment, AT_EMPTY_PATH);
      }
      ::execve(options.program.c_str(), argv.data(), environment);
      ::_exit(99);
    }
    output_.write_end.reset();
    errors_.write_end.reset();
  }
  Process() : Process(Options{}) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  // It sleeps in rt_sigtimedwait. (SigBlk does not tell: the call itself unblocks what it waits for.)
  bool wait_until_ready() const {
    const std::string waiting = std::to_string(SYS_rt_sigtimedwait) + " ";
    return eventually(
        [&] { return slurp("/proc/" + std::to_string(pid_) + "/syscall").rfind(waiting, 0) == 0; });
  }
  // -1 when a signal ended it.
  int exit_code() {
    int status = 0;
    if (::waitpid(std::exchange(pid_, -1), &status, 0) < 0) return -2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // Only after the end.
  std::string output() { return drain(output_.read_end.get()); }
  std::string errors() { return drain(errors_.read_end.get()); }

 private:
  static std::string drain(int fd) {
    std::string text;
    char buffer[512];
    for (ssize_t got; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }
  pid_t pid_ = -1;
  Pipe output_, errors_;
};

inline Process::Options as_pid_1() {
  Process::Options options;
  options.clone_flags = CLONE_NEWPID;
  return options;
}

// Leaves `count` children of a dead parent behind in pause's PID namespace, which end when `release` is
// closed.
inline bool orphan_processes(pid_t pause, int count, const Pipe& release) {
  const pid_t helper = ::fork();
  if (helper == 0) {
    const std::string path = "/proc/" + std::to_string(pause) + "/ns/pid";
    const int space = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (::setns(space, CLONE_NEWPID) != 0) ::_exit(1);
    const pid_t parent = ::fork();
    if (parent == 0) {
      for (int i = 0; i < count; ++i) {
        const pid_t child = ::fork();
        if (child < 0) ::_exit(1);
        if (child > 0) continue;
        // Ours too must go, or end of file never comes.
        ::close(release.write_end.get());
        char byte;
        ::_exit(::read(release.read_end.get(), &byte, 1) == 0 ? 0 : 1);
      }
      ::_exit(0);
    }
    int status = 1;
    ::waitpid(parent, &status, 0);
    ::_exit(status == 0 ? 0 : 1);
  }
  int status = 1;
  return ::waitpid(helper, &status, 0) == helper && status == 0;
}

}  // namespace fermata::test
