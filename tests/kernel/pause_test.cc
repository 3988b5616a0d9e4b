// pause on the real kernel: messages, exit codes, reaping, size. Needs root (a PID namespace).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "kernel/support/pause_process.h"
#include "runtime/defaults.h"

namespace fermata::test {
namespace {

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

TEST(Pause, LooksThroughALongListOfArguments) {
  Process::Options options = as_pid_1();
  options.arguments.assign(20'000, "--argument");
  options.arguments.emplace_back("");
  options.arguments.emplace_back("-");
  options.arguments.emplace_back("-vv");
  Process pause(options);
  ASSERT_TRUE(pause.wait_until_ready());
  options.arguments.emplace_back("-v");
  Process told(options);
  EXPECT_EQ(told.exit_code(), 0);
  EXPECT_NE(told.output(), "");
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

// The engine's filter: what it does not allow pause does not need.
TEST(Pause, LivesWithTheFilterThatTheEngineGivesIt) {
  const auto file = runtime::pause_seccomp("/dev/null/no-cache");
  ASSERT_TRUE(file) << file.error().message();
  std::string program(1 << 16, '\0');
  const ssize_t size = ::pread(file->get(), program.data(), program.size(), 0);
  ASSERT_GT(size, 0);
  const sock_fprog filter = {
      .len = static_cast<unsigned short>(static_cast<std::size_t>(size) / sizeof(sock_filter)),
      .filter = reinterpret_cast<sock_filter*>(program.data())};
  const auto load = [&] {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
      ::_exit(98);
  };
  Process::Options options = as_pid_1();
  options.before_exec = load;
  Process first(options);
  ASSERT_TRUE(first.wait_until_ready());
  EXPECT_EQ(slurp("/proc/" + std::to_string(first.pid()) + "/comm"), "pause\n");
  Pipe release;
  ASSERT_TRUE(orphan_processes(first.pid(), 20, release));
  release.write_end.reset();
  EXPECT_TRUE(eventually([&] { return children_of(first.pid()).empty(); }));
  ::kill(first.pid(), SIGINT);
  EXPECT_EQ(first.exit_code(), 0);
  EXPECT_EQ(first.errors(), "Shutting down, got signal: Interrupt\n");
  options.clone_flags = 0;
  Process other(options);
  ASSERT_TRUE(other.wait_until_ready());
  ::kill(other.pid(), SIGTERM);
  EXPECT_EQ(other.exit_code(), 0);
  // And nothing else is allowed.
  options.before_exec = [&] {
    load();
    ::_exit(::syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY) == -1 && errno == EPERM &&
                    ::syscall(SYS_prctl, PR_SET_DUMPABLE, 1) == -1 && errno == EPERM &&
                    ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == -1 && errno == EPERM
                ? 77
                : 78);
  };
  EXPECT_EQ(Process(options).exit_code(), 77);
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
  ::kill(pause.pid(), SIGTERM);
  EXPECT_EQ(pause.exit_code(), 0);
}

TEST(Pause, IsNotWokenByOtherSignals) {
  Process pause(as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  const std::string switches = status_field(pause.pid(), "voluntary_ctxt_switches");
  for (int i = 0; i < 1000; ++i)
    for (const int signal : {SIGHUP, SIGUSR1, SIGRTMIN}) ::kill(pause.pid(), signal);
  EXPECT_EQ(status_field(pause.pid(), "voluntary_ctxt_switches"), switches);
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

TEST(Pause, ReapsTenThousandOrphans) {
  Process pause(as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  const char* slowness = std::getenv("FERMATA_TEST_SLOWNESS");  // of an emulated machine
  const int bursts = 20 / (slowness != nullptr ? std::max(1, std::atoi(slowness)) : 1);
  for (int burst = 0; burst < bursts; ++burst) {
    Pipe release;
    ASSERT_TRUE(orphan_processes(pause.pid(), 500, release));
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
}  // namespace fermata::test
