#include "network/legacy_iptables.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "network/records.h"

namespace fermata::network {
namespace {

constexpr char kRecord[] = "legacy_chains";  // "program chain", one a line

struct Family {
  const char* tables;   // names of the tables in use
  const char* program;  // the old kind by its own name; where that is missing, the plain name is the old kind
  const char* fallback;
};
constexpr Family kFamilies[] = {{"/proc/thread-self/net/ip_tables_names", "iptables-legacy", "iptables"},
                                {"/proc/thread-self/net/ip6_tables_names", "ip6tables-legacy", "ip6tables"}};

// The exit code; `output` gets what it wrote. The caller's thread is in the namespace whose rules are meant,
// and so is the child.
Result<int> run_program(const std::string& program, const std::vector<std::string>& arguments,
                        std::string* output) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "make a pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // A fixed path: the caller's environment decides nothing here.
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  pid_t child = -1;
  const int number = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, argv.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  write_end.reset();
  if (number != 0) return fail(number, "run '{}'", program);
  Result<std::string> said = read_fd(read_end.get(), 1 << 20);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return fail(errno, "wait for '{}'", program);
  TRY(std::string text, std::move(said));
  if (output != nullptr) *output = std::move(text);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Reading the names loads nothing: a host without old tables has no such file, or an empty one.
bool in_use(const Family& family) {
  const Result<std::string> names = read_file(family.tables, 4096);
  return names && ("\n" + *names).find("\nfilter\n") != std::string::npos;
}

// Which program speaks to the old tables. posix_spawnp reports a missing program as ENOENT.
Result<std::string> find_program(const Family& family) {
  std::string version;
  if (const Result<int> code = run_program(family.program, {"--version"}, &version); code && *code == 0)
    return std::string(family.program);
  TRY(const int code, run_program(family.fallback, {"--version"}, &version));
  if (code != 0 || version.find("nf_tables") != std::string::npos)
    return fail(ENOENT, "run '{}'", family.program);
  return std::string(family.fallback);
}

std::vector<std::string> rule(const char* verb, const std::string& chain, const char* direction,
                              const std::string& bridge) {
  return {"-w", "5",     verb, chain, direction, bridge, "-m", "comment", "--comment", "fermata " + bridge,
          "-j", "ACCEPT"};
}

Result<void> open_family(state::Database& database, const Family& family, const std::string& bridge) {
  TRY(const std::string program, find_program(family));
  std::string listing;
  TRY(int code, run_program(program, {"-w", "5", "-S"}, &listing));
  if (code != 0) return fail(ErrorKind::failed, "{} -S: {}", program, trim(listing));
  if (listing.find("-P FORWARD DROP") == std::string::npos) return {};
  const std::string chain = listing.find("-N DOCKER-USER") == std::string::npos ? "FORWARD" : "DOCKER-USER";
  TRY(const std::string lines, setting(database, kRecord));
  if (const std::string line = program + " " + chain + "\n"; lines.find(line) == std::string::npos)
    TRY(set_setting(database, kRecord, lines + line));
  for (const char* direction : {"-o", "-i"}) {
    TRY(code, run_program(program, rule("-C", chain, direction, bridge), nullptr));
    if (code == 0) continue;
    TRY(code, run_program(program, rule("-I", chain, direction, bridge), &listing));
    if (code != 0) return fail(ErrorKind::failed, "{} -I {}: {}", program, chain, trim(listing));
  }
  return {};
}

}  // namespace

void open_legacy_chains(state::Database& database, const std::string& bridge,
                        std::vector<std::string>& warnings) {
  for (const Family& family : kFamilies) {
    if (!in_use(family)) continue;
    if (const Result<void> opened = open_family(database, family, bridge); !opened)
      warnings.push_back(fmt::format("the old iptables may drop what is forwarded to '{}': {}", bridge,
                                     opened.error().message()));
  }
}

Result<void> close_legacy_chains(state::Database& database, const std::string& bridge) {
  TRY(const std::string lines, setting(database, kRecord));
  if (lines.empty()) return {};
  for (const std::string_view line : split(lines, '\n')) {
    const auto words = split_once(line, ' ');
    if (!words) continue;
    for (const char* direction : {"-o", "-i"})
      // A rule that is gone, with or without its program, is as it should be.
      (void)run_program(std::string(words->first), rule("-D", std::string(words->second), direction, bridge),
                        nullptr);
  }
  return forget_setting(database, kRecord);
}

}  // namespace fermata::network
