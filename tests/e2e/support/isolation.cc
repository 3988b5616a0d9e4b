#include "e2e/support/isolation.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace fermata::e2e {
namespace {

bool g_own_host = false;

bool stay_on_host() {
  const char* text = std::getenv("FERMATA_TEST_ON_HOST");
  return text != nullptr && std::strcmp(text, "1") == 0;
}

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "e2e: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(2);
}

void configure(const std::string& text, const Arguments& prefix = {}) {
  Arguments command = prefix;
  std::istringstream words("ip " + text);
  for (std::string word; words >> word;) command.push_back(word);
  const Outcome outcome = run_program(command);
  if (!outcome.ok()) {
    std::fprintf(stderr, "e2e: ip %s: %s\n", text.c_str(), outcome.err.c_str());
    std::exit(2);
  }
}

std::string first_global_address(const char* family) {
  const Outcome outcome = run_program({"ip", "-o", family, "addr", "show", "scope", "global"});
  for (const auto& line : lines_of(outcome.out)) {
    std::istringstream words(line);
    std::string number, link, kind, address;
    words >> number >> link >> kind >> address;
    // A bridge of Fermata's has an address too, while a pod runs.
    if (!link.starts_with("fermata")) return address.substr(0, address.find('/'));
  }
  return "";
}

}  // namespace

bool enter_test_host() {
  std::signal(SIGPIPE, SIG_IGN);
  if (::geteuid() != 0) return false;
  if (stay_on_host()) return true;
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) give_up("unshare");
  // Cut off from the real host; and then shared, as systemd has it: what a command mounts in a namespace that
  // it forgot to detach would show up here.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) give_up("mount --make-rprivate /");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0) give_up("mount --make-rshared /");
  configure("link set lo up");
  configure("link add host0 type veth peer name cable0");
  configure("addr add 198.51.100.1/24 dev host0");
  if (::access("/proc/sys/net/ipv6", F_OK) == 0) configure("addr add fd00:e2e::1/64 dev host0 nodad");
  configure("link set host0 up");
  configure("link set cable0 up");
  g_own_host = true;
  return true;
}

std::string host_ipv4() { return first_global_address("-4"); }
std::string host_ipv6() { return first_global_address("-6"); }

OtherMachine::OtherMachine() {
  if (!g_own_host) return;
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) give_up("pipe2");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char told = ::unshare(CLONE_NEWNET) == 0 ? '1' : '0';
    if (::write(ready[1], &told, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char told = '0';
  const bool made = ::read(ready[0], &told, 1) == 1 && told == '1';
  ::close(ready[0]);
  ::close(ready[1]);
  if (!made) return;
  const std::string pid = std::to_string(pid_);
  const Arguments inside{"nsenter", "-t", pid, "-n"};
  configure("link set cable0 netns " + pid);
  configure("link set lo up", inside);
  configure("addr add 198.51.100.2/24 dev cable0", inside);
  configure("addr add fd00:e2e::2/64 dev cable0 nodad", inside);
  configure("link set cable0 up", inside);
  usable_ = true;
}

OtherMachine::~OtherMachine() {
  if (pid_ <= 0) return;
  // The cable must come home before its namespace ends, else both of its ends would go.
  if (usable_) {
    run_program({"nsenter", "-t", std::to_string(pid_), "-n", "ip", "link", "set", "cable0", "netns",
                 std::to_string(::getpid())});
    run_program({"ip", "link", "set", "cable0", "up"});
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Outcome OtherMachine::run(const Arguments& arguments, const RunOptions& options) const {
  Arguments command{"nsenter", "-t", std::to_string(pid_), "-n"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command, options);
}

}  // namespace fermata::e2e
