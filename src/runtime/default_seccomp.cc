// The compiled default profile and its cache. A start that finds its program in the cache costs a readlink, a
// stat and an open: no JSON, no libseccomp.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

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

Result<std::string> profile_path() {
  char program[4096];
  const ssize_t size = ::readlink("/proc/self/exe", program, sizeof program);
  if (size < 0) return fail(errno, "find this program's directory");
  const std::string_view path(program, static_cast<std::size_t>(size));
  return std::string(path.substr(0, path.rfind('/') + 1)) + kProfileName;
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

Result<UniqueFd> in_memory(const std::string& program) {
  UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) return fail(errno, "make a memory file");
  TRY(write_all(file.get(), program));
  return file;
}

// Two hashes of everything that the program depends on.
std::string cache_key(const std::string& profile, const struct stat& info,
                      std::vector<std::string> capabilities) {
  std::sort(capabilities.begin(), capabilities.end());
  const std::string facts = fmt::format("{}|{}|{}|{}.{}|{}|{}|{}|{}", kCacheFormat, profile, info.st_size,
                                        info.st_mtim.tv_sec, info.st_mtim.tv_nsec, kernel::seccomp_version(),
                                        oci::host_architecture(), kernel_release(), join(capabilities, ","));
  return fmt::format("{:016x}{:016x}", fnv1a(facts, 0xcbf29ce484222325), fnv1a(facts, 0x84222325cbf29ce4));
}

}  // namespace

Result<UniqueFd> default_seccomp(const std::string& cache_directory,
                                 const std::vector<std::string>& capabilities) {
  TRY(const std::string profile, profile_path());
  struct stat info = {};
  if (::stat(profile.c_str(), &info) != 0)
    return fail(errno,
                "default seccomp profile '{}' (install it, or run with --security-opt seccomp=unconfined)",
                profile);
  const std::string cached =
      fmt::format("{}/{}.bpf", cache_directory, cache_key(profile, info, capabilities));
  if (auto file = open_file(cached, O_RDONLY)) return file;
  TRY(const std::string json, read_file(profile));
  auto program = compile(json, capabilities);
  if (!program) return fail_with(std::move(program.error()), fmt::format("'{}'", profile));
  // A cache that cannot be written costs time, not correctness.
  if (make_directories(cache_directory, 0700) && write_file(cached, *program, 0600))
    return open_file(cached, O_RDONLY);
  return in_memory(*program);
}

Result<UniqueFd> seccomp_from_profile(const std::string& json, const std::vector<std::string>& capabilities) {
  TRY(const std::string program, compile(json, capabilities));
  return in_memory(program);
}

}  // namespace fermata::runtime
