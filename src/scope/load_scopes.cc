#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "scope/call.h"
#include "scope/scopes.h"

namespace fermata::scope {
namespace {

constexpr std::size_t kMostText = 1u << 20;  // of a reply or a complaint

Result<std::string> text_of(const UniqueFd& file) {
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail(errno, "read what {} said", kScopesProgram);
  return read_fd(file.get(), kMostText);
}

// Runs it with these as its standard streams, to its end. Its exit status as waitpid(2) tells it.
Result<int> run(const std::string& program, const UniqueFd& input, const UniqueFd& output,
                const UniqueFd& complaint) {
  posix_spawn_file_actions_t streams;
  ::posix_spawn_file_actions_init(
      &streams);  // with glibc and musl, this and adddup2 below can but lack memory
  int error = ::posix_spawn_file_actions_adddup2(&streams, input.get(), STDIN_FILENO);
  if (error == 0) error = ::posix_spawn_file_actions_adddup2(&streams, output.get(), STDOUT_FILENO);
  if (error == 0) error = ::posix_spawn_file_actions_adddup2(&streams, complaint.get(), STDERR_FILENO);
  std::string name = kScopesProgram;
  char* arguments[] = {name.data(), nullptr};
  pid_t pid = -1;
  if (error == 0) error = ::posix_spawn(&pid, program.c_str(), &streams, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&streams);
  if (error != 0) return fail(error, "execute '{}'", program);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return fail(errno, "wait for '{}'", program);
  return status;
}

// Each call is a process of its own, which connects to systemd anew: a command makes one or two of them.
class ProgramScopes : public Scopes {
 public:
  explicit ProgramScopes(std::string program) : program_(std::move(program)) {}

  Result<std::string> start(const ScopeRequest& request) override {
    return call({.method = Method::start, .request = request});
  }
  Result<void> set_properties(const std::string& unit, const std::vector<Property>& properties) override {
    TRY(call({.method = Method::set_properties, .request = {.unit = unit, .properties = properties}}));
    return {};
  }
  Result<void> stop(const std::string& unit) override {
    TRY(call({.method = Method::stop, .request = {.unit = unit}}));
    return {};
  }
  Result<void> reset_failed(const std::string& unit) override {
    TRY(call({.method = Method::reset_failed, .request = {.unit = unit}}));
    return {};
  }

 private:
  Result<std::string> call(const Call& call) const {
    TRY(const UniqueFd input, memory_file("call", format_call(call)));
    if (::lseek(input.get(), 0, SEEK_SET) < 0) return fail(errno, "prepare a call of systemd");
    TRY(const UniqueFd output, memory_file("reply", ""));
    TRY(const UniqueFd complaint, memory_file("complaint", ""));
    TRY(const int status, run(program_, input, output, complaint));
    if (status == 0) {
      TRY(const std::string reply, text_of(output));
      return parse_reply(reply);
    }
    TRY(const std::string said, text_of(complaint));
    return fail(ErrorKind::unsupported,
                "systemd cannot be asked for control groups: '{}': {} (is libsystemd installed?)", program_,
                said.empty() ? fmt::format("wait status {}", status) : std::string(trim(said)));
  }

  std::string program_;
};

}  // namespace

bool has_systemd() {
  struct stat info = {};
  return ::lstat("/run/systemd/system/", &info) == 0 && S_ISDIR(info.st_mode);
}

Result<Scopes*> load_scopes() {
  if (!has_systemd())
    return fail(ErrorKind::unsupported,
                "the systemd cgroup driver needs systemd as the first process of this machine; use cgroupfs");
  static const Result<std::string> directory = program_directory();
  if (!directory) return tl::unexpected(directory.error());
  static ProgramScopes scopes(*directory + "/" + kScopesProgram);
  return &scopes;
}

}  // namespace fermata::scope
