#include "monitor/inherited.h"

#include <signal.h>
#include <sys/resource.h>

namespace fermata::monitor {
namespace {

rlimit first_limit = {};
bool limit_raised = false;

}  // namespace

void restore_inherited_state() {
  // The hard one may have been changed since, for this child.
  rlimit limit = {};
  if (limit_raised && ::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = first_limit.rlim_cur < limit.rlim_max ? first_limit.rlim_cur : limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void prepare_own_state() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // Ignored signals survive exec, ours and the containers': whoever started us may have ignored SIGPIPE.
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number <= 64; ++number)
    if (number != SIGKILL && number != SIGSTOP) ::sigaction(number, &action, nullptr);
  if (::getrlimit(RLIMIT_NOFILE, &first_limit) != 0 || first_limit.rlim_cur >= first_limit.rlim_max) return;
  const rlimit raised = {first_limit.rlim_max, first_limit.rlim_max};
  limit_raised = ::setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

}  // namespace fermata::monitor
