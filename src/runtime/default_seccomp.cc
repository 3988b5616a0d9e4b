// The compiled filters of containers and of pause, and their cache. A start that finds its program in the
// cache costs a readlink, a stat and an open: no JSON, no libseccomp.
#include <fmt/format.h>
#include <linux/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "kernel/seccomp.h"
#include "runtime/defaults.h"
#include "runtime/seccomp_cache.h"

namespace fermata::runtime {
namespace {

constexpr char kProfileName[] = "seccomp.json";

Result<std::string> compile(const std::string& json, const std::vector<std::string>& capabilities) {
  TRY(const SeccompProfile profile, parse_seccomp_profile(json, seccomp_context(capabilities)));
  // Whoever asks for a filter by its profile alone has nobody to hand notifications to.
  if (kernel::notifies(profile.policy))
    return fail(ErrorKind::unsupported, "seccomp: SCMP_ACT_NOTIFY needs a runtime with an agent");
  return kernel::compile_seccomp(profile.policy);
}

// What src/pause/pause.cc calls, and the execve(2) by which init becomes it.
kernel::SeccompPolicy pause_policy() {
  const kernel::SeccompAction allow = {.name = "SCMP_ACT_ALLOW"};
  kernel::SeccompPolicy policy = {.default_action = {.name = "SCMP_ACT_ERRNO", .data = EPERM}};
  for (const char* name : {"execve", "exit_group", "getpid", "rt_sigaction", "rt_sigprocmask",
                           "rt_sigtimedwait", "wait4", "write"})
    policy.rules.push_back({.syscall = name, .action = allow});
  for (const std::uint64_t option : {PR_SET_NAME, PR_SET_CHILD_SUBREAPER})
    policy.rules.push_back({.syscall = "prctl",
                            .action = allow,
                            .comparisons = {{.index = 0, .op = "SCMP_CMP_EQ", .value = option}}});
  return policy;
}

Result<std::string> profile_path() {
  TRY(const std::string directory, program_directory());
  return directory + "/" + kProfileName;
}

tl::unexpected<Error> no_profile(int error, const std::string& path) {
  return fail(error,
              "default seccomp profile '{}' (install it, or run with --security-opt seccomp=unconfined)",
              path);
}

}  // namespace

Result<std::string> default_seccomp_profile() {
  TRY(const std::string path, profile_path());
  auto json = read_file(path);
  if (!json) return no_profile(json.error().error_number(), path);
  return json;
}

Result<UniqueFd> default_seccomp(const std::string& cache_directory, std::vector<std::string> capabilities) {
  TRY(const std::string profile, profile_path());
  struct stat info = {};
  if (::stat(profile.c_str(), &info) != 0) return no_profile(errno, profile);
  std::sort(capabilities.begin(), capabilities.end());
  const std::string facts = fmt::format("{}|{}|{}.{}|{}", profile, info.st_size, info.st_mtim.tv_sec,
                                        info.st_mtim.tv_nsec, join(capabilities, ","));
  return cached_program(cache_directory, facts, [&]() -> Result<std::string> {
    TRY(const std::string json, read_file(profile));
    auto program = compile(json, capabilities);
    if (!program) return fail_with(std::move(program.error()), fmt::format("'{}'", profile));
    return program;
  });
}

Result<UniqueFd> pause_seccomp(const std::string& cache_directory) {
  return cached_program(cache_directory, "pause 1", [] { return kernel::compile_seccomp(pause_policy()); });
}

Result<UniqueFd> seccomp_from_profile(const std::string& json, const std::vector<std::string>& capabilities) {
  TRY(const std::string program, compile(json, capabilities));
  return memory_file("seccomp", program);
}

}  // namespace fermata::runtime
