#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probe.h"

namespace fermata::e2e::probe {

int make_orphans(const Arguments& arguments) {
  const int count = atoi(arguments.at(0).c_str());
  int started = 0;
  for (int i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      // The grandchild outlives this one: PID 1 of the namespace inherits it.
      const pid_t grandchild = fork();
      if (grandchild == 0) usleep(50000);
      _exit(grandchild < 0 ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status == 0) ++started;
  }
  printf("%d\n", started);
  return started == count ? 0 : 1;
}

int allocate(const Arguments& arguments) {
  const auto bytes = static_cast<std::size_t>(atoll(arguments.at(0).c_str()));
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  for (std::size_t at = 0; at < bytes; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
  printf("allocated\n");
  return 0;
}

int fork_many(const Arguments& arguments) {
  const int count = atoi(arguments.at(0).c_str());
  int started = 0;
  pid_t children[1024];
  while (started < count && started < 1024) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      pause();
      _exit(0);
    }
    children[started++] = child;
  }
  const int error = started < count ? errno : 0;
  for (int i = 0; i < started; ++i) kill(children[i], SIGKILL);
  for (int i = 0; i < started; ++i) waitpid(children[i], nullptr, 0);
  printf("%d %s\n", started, error != 0 ? strerrorname_np(error) : "ok");
  return 0;
}

int trap_signals(const Arguments& arguments) {
  const int code = arguments.empty() ? 0 : atoi(arguments[0].c_str());
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  printf("ready\n");
  for (int number = 0; sigwait(&set, &number) == 0;) {
    printf("got %d\n", number);
    if (number == SIGTERM || number == SIGINT || number == SIGQUIT) return code;
  }
  return 98;
}

int ignore_signals(const Arguments&) {
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  printf("ready\n");
  for (;;) pause();
}

int exit_with(const Arguments& arguments) { return atoi(arguments.at(0).c_str()); }

int kill_self(const Arguments& arguments) {
  const int number = atoi(arguments.at(0).c_str());
  // PID 1 gets no signal that it has no handler for, not even from itself: a child's death is told by its
  // code.
  if (getpid() == 1) {
    const pid_t child = fork();
    if (child == 0) {
      signal(number, SIG_DFL);
      raise(number);
      _exit(97);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 97;
  }
  signal(number, SIG_DFL);
  raise(number);
  return 97;
}

int wait_for_end(const Arguments&) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  printf("ready\n");
  int number = 0;
  sigwait(&set, &number);
  return 0;
}

int write_pattern(const Arguments& arguments) {
  auto left = atoll(arguments.at(0).c_str());
  unsigned state = 1;
  char block[8192];
  while (left > 0) {
    for (char& byte : block) {
      state = state * 1103515245U + 12345U;
      byte = static_cast<char>(state >> 16);
    }
    const auto size =
        left < static_cast<long long>(sizeof block) ? static_cast<std::size_t>(left) : sizeof block;
    for (std::size_t done = 0; done < size;) {
      const ssize_t count = write(1, block + done, size - done);
      if (count < 0) return 1;
      done += static_cast<std::size_t>(count);
    }
    left -= static_cast<long long>(size);
  }
  return 0;
}

int copy_and_sum(const Arguments&) {
  static char block[65536];
  long long total = 0;
  for (ssize_t size = 0; (size = read(0, block, sizeof block)) > 0; total += size)
    for (ssize_t done = 0; done < size;) {
      const ssize_t count = write(1, block + done, static_cast<std::size_t>(size - done));
      if (count < 0) return 1;
      done += count;
    }
  fprintf(stderr, "copied %lld\n", total);
  return 0;
}

}  // namespace fermata::e2e::probe
