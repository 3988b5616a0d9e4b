// The compiled filters of containers and of pause, and their cache. A start that finds its program in the
// cache costs a readlink, a stat and an open: no JSON, no libseccomp.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "base/files.h"
#include "base/text.h"
#include "kernel/seccomp.h"
#include "oci/image_config.h"
#include "runtime/defaults.h"
#include "runtime/seccomp_profile.h"

namespace fermata::runtime {
namespace {

constexpr char kProfileName[] = "seccomp.json";
// Part of the key: what the same inputs compile to has changed.
constexpr int kCacheFormat = 1;

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string kernel_release() {
  utsname names = {};
  return ::uname(&names) == 0 ? names.release : "";
}

Result<std::string> compile(const std::string& json, const std::vector<std::string>& capabilities) {
  TRY(const kernel::SeccompPolicy policy,
      parse_seccomp_profile(json, {capabilities, oci::host_architecture(), kernel_release()}));
  return kernel::compile_seccomp(policy);
}

// The program that `compile` makes, from the cache when it is there. `facts`: everything that it depends on,
// beside what is the same for all.
Result<UniqueFd> cached(const std::string& directory, const std::string& facts,
                        const std::function<Result<std::string>()>& compile) {
  const std::string all = fmt::format("{}|{}|{}|{}|{}", kCacheFormat, kernel::seccomp_version(),
                                      oci::host_architecture(), kernel_release(), facts);
  // Two hashes: 128 bits.
  const std::string path = fmt::format("{}/{:016x}{:016x}.bpf", directory, fnv1a(all, 0xcbf29ce484222325),
                                       fnv1a(all, 0x84222325cbf29ce4));
  if (auto file = open_file(path, O_RDONLY)) return file;
  TRY(const std::string program, compile());
  // A cache that cannot be written costs time, not correctness.
  if (make_directories(directory, 0700) && write_file(path, program, 0600)) return open_file(path, O_RDONLY);
  return memory_file("seccomp", program);
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

}  // namespace

Result<UniqueFd> default_seccomp(const std::string& cache_directory, std::vector<std::string> capabilities) {
  TRY(const std::string directory, program_directory());
  const std::string profile = directory + "/" + kProfileName;
  struct stat info = {};
  if (::stat(profile.c_str(), &info) != 0)
    return fail(errno,
                "default seccomp profile '{}' (install it, or run with --security-opt seccomp=unconfined)",
                profile);
  std::sort(capabilities.begin(), capabilities.end());
  const std::string facts = fmt::format("{}|{}|{}.{}|{}", profile, info.st_size, info.st_mtim.tv_sec,
                                        info.st_mtim.tv_nsec, join(capabilities, ","));
  return cached(cache_directory, facts, [&]() -> Result<std::string> {
    TRY(const std::string json, read_file(profile));
    auto program = compile(json, capabilities);
    if (!program) return fail_with(std::move(program.error()), fmt::format("'{}'", profile));
    return program;
  });
}

Result<UniqueFd> pause_seccomp(const std::string& cache_directory) {
  return cached(cache_directory, "pause 1", [] { return kernel::compile_seccomp(pause_policy()); });
}

Result<UniqueFd> seccomp_from_profile(const std::string& json, const std::vector<std::string>& capabilities) {
  TRY(const std::string program, compile(json, capabilities));
  return memory_file("seccomp", program);
}

}  // namespace fermata::runtime
