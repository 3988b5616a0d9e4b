// What stands for fermata-init in the monitor's tests: this test program itself. When it is started under
// that name, the constructor below takes over before main. Its plan is text: lines beginning with '#' are
// orders, all of it is then run by /bin/sh.
//     #fail <op> <errno>   reports a failure        #console   opens a terminal as init does
//     #die                 is killed before ready   #slots     checks that slot 0 is open
//     #supervise           stays as a supervisor    #deaf      ... that hears no order
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "init/plan.h"
#include "init/report.h"
#include "kernel/core/packet.h"

namespace fermata::test {

inline void stand_in_report(init::ReportKind kind, std::uint32_t op, int error, int fd = -1) {
  const init::Report report = {.kind = kind, .op_index = op, .error = error};
  if (kernel::send_packet(init::kReportFd, &report, sizeof report, fd) != 0) ::_exit(99);
}

inline void stand_in_console() {
  const int master = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  ::setsid();
  int unlock = 0;
  ::ioctl(master, TIOCSPTLCK, &unlock);
  const int slave = ::ioctl(master, TIOCGPTPEER, O_RDWR);
  if (slave < 0) ::_exit(98);
  stand_in_report(init::ReportKind::console, 0, 0, master);
  for (int fd = 0; fd < 3; ++fd) ::dup2(slave, fd);
  ::ioctl(0, TIOCSCTTY, 0);
  if (slave > 2) ::close(slave);
  ::close(master);
}

// Returns in the child. The parent reports the child's descriptor, and ends as it does.
inline void stand_in_supervise(bool deaf) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) ::_exit(97);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    return;
  }
  ::close(ends[1]);
  char byte;
  if (::read(ends[0], &byte, 1) != 0) ::_exit(96);  // the end: it has been executed
  stand_in_report(init::ReportKind::started, 77, 0, static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  for (int fd = 0; fd < 3; ++fd) ::close(fd);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  int status = 0;
  while (::waitpid(child, &status, deaf ? 0 : WNOHANG) != child)
    if (::recv(init::kReportFd, &byte, 1, MSG_DONTWAIT) >= 0)
      ::kill(-child, SIGKILL);
    else
      ::usleep(1000);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

[[noreturn]] inline void stand_in_init() {
  for (int fd = init::kReportFd; fd < 300; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::string plan(65536, '\0');
  const ssize_t got = ::pread(init::kPlanFd, plan.data(), plan.size(), 0);
  plan.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  if (plan.find("#die\n") != std::string::npos) ::raise(SIGKILL);
  if (plan.find("#slots\n") != std::string::npos && ::fcntl(init::kFirstSlotFd, F_GETFD) < 0)
    stand_in_report(init::ReportKind::failed, 1, EBADF);
  if (plan.find("#console\n") != std::string::npos) stand_in_console();
  if (const auto at = plan.find("#fail "); at != std::string::npos) {
    char* end = nullptr;
    const auto op = static_cast<std::uint32_t>(std::strtoul(plan.c_str() + at + 6, &end, 10));
    stand_in_report(init::ReportKind::failed, op, static_cast<int>(std::strtol(end, nullptr, 10)));
    ::_exit(125);
  }
  const bool deaf = plan.find("#deaf\n") != std::string::npos;
  if (deaf || plan.find("#supervise\n") != std::string::npos) stand_in_supervise(deaf);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  stand_in_report(init::ReportKind::ready, 0, 0);
  ::setenv("PATH", "/usr/bin:/bin", 1);
  ::execl("/bin/sh", "sh", "-c", plan.c_str(), nullptr);
  ::_exit(127);
}

__attribute__((constructor)) inline void stand_in_when_asked(int count, char** arguments, char**) {
  if (count >= 1 && (std::strcmp(arguments[0], "fermata-init") == 0 ||
                     std::strcmp(arguments[0], init::kSupervisorName) == 0))
    stand_in_init();
}

}  // namespace fermata::test
