// pause on the real kernel: messages, exit codes, reaping, size. Needs root (a PID namespace).
#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/files.h"

namespace fermata {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

const std::string kPause = FERMATA_PROGRAMS "/pause";
constexpr auto kPatience = milliseconds(20000);  // software emulation is slow

bool eventually(const std::function<bool()>& holds) {
  for (const auto end = steady_clock::now() + kPatience; steady_clock::now() < end;) {
    if (holds()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return holds();
}

// "" as well for a process that ends while it is read (ESRCH).
std::string slurp(const std::string& path) { return read_file(path).value_or(""); }

std::string status_field(pid_t pid, const std::string& field) {
  std::istringstream lines(slurp("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);)
    if (line.rfind(field + ":\t", 0) == 0) return line.substr(field.size() + 2);
  return "";
}

std::vector<pid_t> children_of(pid_t parent) {
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
        const int program = ::open(kPause.c_str(), O_RDONLY | O_CLOEXEC);
        ::syscall(SYS_execveat, program, "", argv.data(), environment, AT_EMPTY_PATH);
      }
      ::execve(kPause.c_str(), argv.data(), environment);
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

Process::Options as_pid_1() {
  Process::Options options;
  options.clone_flags = CLONE_NEWPID;
  return options;
}

// Makes one system call fail, when its first argument is `argument` (negative: always).
void fail_system_call(int number, int argument, int error) {
  const auto outcome = SECCOMP_RET_ERRNO | static_cast<unsigned>(error);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, argument < 0 ? 0u : static_cast<unsigned>(argument), 0, 1),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, argument < 0 ? ~0u : static_cast<unsigned>(argument), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, outcome),
  };
  const sock_fprog program = {.len = std::size(code), .filter = code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    ::_exit(98);
}

// Leaves `count` children of a dead parent behind in pause's PID namespace, which end when `release` is
// closed.
bool orphan_processes(pid_t pause, int count, const Pipe& release) {
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

TEST(Pause, IsSmallAndNeitherWritableNorExecutableWhereItShouldNotBe) {
  const std::string image = slurp(kPause);
  EXPECT_LT(image.size(), 4096u);
  ASSERT_GE(image.size(), sizeof(Elf64_Ehdr));
  Elf64_Ehdr header;
  std::memcpy(&header, image.data(), sizeof header);
  int loaded = 0, stacks = 0;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, image.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_LOAD) {
      ++loaded;
      EXPECT_EQ(segment.p_flags, static_cast<Elf64_Word>(PF_R | PF_X));
    }
    if (segment.p_type == PT_GNU_STACK) {
      ++stacks;
      EXPECT_EQ(segment.p_flags, static_cast<Elf64_Word>(PF_R | PF_W));
    }
    EXPECT_NE(segment.p_type, static_cast<Elf64_Word>(PT_INTERP));
  }
  EXPECT_EQ(loaded, 1);
  EXPECT_EQ(stacks, 1);
}

TEST(Pause, UsesAtMost16KilobytesOfMemoryAndNoTime) {
  Process pause(as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  EXPECT_LE(std::atoi(status_field(pause.pid(), "VmRSS").c_str()), 16) << status_field(pause.pid(), "VmRSS");
  const auto switches = [&] { return status_field(pause.pid(), "voluntary_ctxt_switches"); };
  const auto before = switches();
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(switches(), before);
}

TEST(Pause, TellsTermination) {
  Process pause(as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  ASSERT_EQ(::kill(pause.pid(), SIGTERM), 0);
  EXPECT_EQ(pause.exit_code(), 0);
  EXPECT_EQ(pause.errors(), "Shutting down, got signal: Terminated\n");
  EXPECT_EQ(pause.output(), "");
}

TEST(Pause, TellsInterruption) {
  Process pause(as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  ASSERT_EQ(::kill(pause.pid(), SIGINT), 0);
  EXPECT_EQ(pause.exit_code(), 0);
  EXPECT_EQ(pause.errors(), "Shutting down, got signal: Interrupt\n");
}

TEST(Pause, WarnsWhenItIsNotTheFirstProcessAndGoesOn) {
  Process pause;
  ASSERT_TRUE(pause.wait_until_ready());
  ASSERT_EQ(::kill(pause.pid(), SIGTERM), 0);
  EXPECT_EQ(pause.exit_code(), 0);
  EXPECT_EQ(pause.errors(),
            "Warning: pause should be the first process\nShutting down, got signal: Terminated\n");
}

TEST(Pause, TellsItsVersionInAnyCase) {
  for (const char* argument : {"-v", "-V"}) {
    Process::Options options = as_pid_1();
    options.arguments = {"/pause", "ignored", argument};
    Process pause(options);
    EXPECT_EQ(pause.exit_code(), 0);
    EXPECT_THAT(pause.output(), testing::MatchesRegex("fermata pause [0-9]+\\.[0-9]+\\.[0-9]+\n"));
    EXPECT_EQ(pause.errors(), "");
  }
}

TEST(Pause, IgnoresOtherArguments) {
  Process::Options options = as_pid_1();
  options.arguments = {"/pause", "", "-", "v", "-vv", "--version", "-x"};
  Process pause(options);
  EXPECT_TRUE(pause.wait_until_ready());
}

TEST(Pause, StartsWithoutAnyArgument) {
  Process::Options options = as_pid_1();
  options.arguments = {};
  Process pause(options);
  ASSERT_TRUE(pause.wait_until_ready());
  ::kill(pause.pid(), SIGTERM);
  EXPECT_EQ(pause.exit_code(), 0);
}

TEST(Pause, IsCalledPauseWhenStartedThroughADescriptor) {
  Process::Options options = as_pid_1();
  options.by_descriptor = true;
  Process pause(options);
  ASSERT_TRUE(pause.wait_until_ready());
  EXPECT_EQ(slurp("/proc/" + std::to_string(pause.pid()) + "/comm"), "pause\n");
}

TEST(Pause, HasAnExitCodeForEachSignalThatCannotBePrepared) {
  const std::pair<int, int> expected[] = {{SIGINT, 1}, {SIGTERM, 2}, {SIGCHLD, 3}};
  for (const auto& [signal, code] : expected) {
    Process::Options options = as_pid_1();
    options.before_exec = [signal = signal] { fail_system_call(SYS_rt_sigaction, signal, EPERM); };
    EXPECT_EQ(Process(options).exit_code(), code);
  }
  Process::Options options = as_pid_1();
  options.before_exec = [] { fail_system_call(SYS_rt_sigprocmask, -1, EPERM); };
  EXPECT_EQ(Process(options).exit_code(), 1);
}

TEST(Pause, EndsWith42WhenWaitingFails) {
  Process::Options options = as_pid_1();
  options.before_exec = [] { fail_system_call(SYS_rt_sigtimedwait, -1, ENOSYS); };
  Process pause(options);
  EXPECT_EQ(pause.exit_code(), 42);
  EXPECT_EQ(pause.errors(), "Error: infinite loop terminated\n");
}

TEST(Pause, SleepsThroughOtherSignalsAndAStop) {
  Process pause;
  ASSERT_TRUE(pause.wait_until_ready());
  for (const int signal :
       {SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTSTP, SIGSEGV, SIGRTMIN, SIGRTMAX})
    ASSERT_EQ(::kill(pause.pid(), signal), 0);
  ASSERT_EQ(::kill(pause.pid(), SIGSTOP), 0);
  ASSERT_TRUE(eventually([&] { return status_field(pause.pid(), "State")[0] == 'T'; }));
  ASSERT_EQ(::kill(pause.pid(), SIGCONT), 0);
  ASSERT_TRUE(pause.wait_until_ready());
  ASSERT_TRUE(eventually([&] { return status_field(pause.pid(), "ShdPnd") == "0000000000000000"; }));
  ::kill(pause.pid(), SIGTERM);
  EXPECT_EQ(pause.exit_code(), 0);
}

TEST(Pause, ReapsManyOrphansThatDieAtOnce) {
  Process pause(as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  Pipe release;
  ASSERT_TRUE(orphan_processes(pause.pid(), 250, release));
  ASSERT_TRUE(eventually([&] { return children_of(pause.pid()).size() == 250; }));
  release.write_end.reset();
  EXPECT_TRUE(eventually([&] { return children_of(pause.pid()).empty(); }));
}

TEST(Pause, ReapsEveryChildOfAStorm) {
  Process pause(as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  for (int burst = 0; burst < 20; ++burst) {
    Pipe release;
    release.write_end.reset();  // the orphans end as soon as they are born
    ASSERT_TRUE(orphan_processes(pause.pid(), 50, release));
    ::kill(pause.pid(), SIGCHLD);
  }
  EXPECT_TRUE(eventually([&] { return children_of(pause.pid()).empty(); }));
}

TEST(Pause, ReapsWhatItsParentWasIgnoring) {
  Process::Options options = as_pid_1();
  options.before_exec = [] { ::signal(SIGCHLD, SIG_IGN); };
  Process pause(options);
  ASSERT_TRUE(pause.wait_until_ready());
  // Others may be ignored as the tests' own parent had them.
  const auto ignored = std::stoull(status_field(pause.pid(), "SigIgn"), nullptr, 16);
  EXPECT_EQ(ignored >> (SIGCHLD - 1) & 1, 0U);
}

TEST(Pause, ReapsChildrenThatDiedBeforeItBegan) {
  Process::Options options = as_pid_1();
  options.before_exec = [] {
    for (int i = 0; i < 5; ++i)
      if (::fork() == 0) ::_exit(0);
    siginfo_t info;
    for (int i = 0; i < 5; ++i) ::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
    ::usleep(20000);
  };
  Process pause(options);
  ASSERT_TRUE(pause.wait_until_ready());
  EXPECT_TRUE(children_of(pause.pid()).empty());
}

TEST(Pause, ReapsOrphansWhenItIsNotTheFirstProcess) {
  Pipe begin, release;
  Process::Options options;
  options.before_exec = [&] {
    if (::fork() != 0) return;
    char byte;
    ::close(begin.write_end.get());
    if (::read(begin.read_end.get(), &byte, 1) != 0) ::_exit(1);
    for (int i = 0; i < 10; ++i) {
      if (::fork() != 0) continue;
      ::close(release.write_end.get());
      ::_exit(::read(release.read_end.get(), &byte, 1) == 0 ? 0 : 1);
    }
    ::_exit(0);
  };
  Process pause(options);
  ASSERT_TRUE(pause.wait_until_ready());
  begin.write_end.reset();
  ASSERT_TRUE(eventually([&] { return children_of(pause.pid()).size() == 10; }));
  release.write_end.reset();
  EXPECT_TRUE(eventually([&] { return children_of(pause.pid()).empty(); }));
}

}  // namespace
}  // namespace fermata
