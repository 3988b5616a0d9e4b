#include "runtime/seccomp_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "kernel/seccomp.h"
#include "oci/image_config.h"

namespace fermata::runtime {
namespace {

// Part of the key: what the same inputs compile to has changed.
constexpr int kCacheFormat = 2;

std::string kernel_release() {
  utsname names = {};
  return ::uname(&names) == 0 ? names.release : "";
}

// A profile that an engine changes for every container must not fill the memory of /run: the cache begins
// anew then.
void forget_when_full(const std::string& directory) {
  constexpr std::ptrdiff_t kMost = 128;
  std::error_code error;  // a directory that cannot be read is not there yet
  const std::filesystem::directory_iterator files(directory, error);
  if (!error && std::distance(begin(files), end(files)) >= kMost)
    std::filesystem::remove_all(directory, error);
}

// Whether anything beside the program could be in the document; an escaped key counts as one.
bool says_how_to_load(const std::string& json) {
  constexpr auto kWords = std::to_array<std::string_view>({"flags", "listener", "NOTIFY", "\\"});
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return json.find(word) != std::string::npos; });
}

}  // namespace

SeccompContext seccomp_context(const std::vector<std::string>& capabilities) {
  return {capabilities, oci::host_architecture(), kernel_release()};
}

Result<UniqueFd> cached_program(const std::string& directory, const std::string& facts,
                                const std::function<Result<std::string>()>& compile) {
  const std::string all = fmt::format("{}|{}|{}|{}|{}", kCacheFormat, kernel::seccomp_version(),
                                      oci::host_architecture(), kernel_release(), facts);
  const std::string path = fmt::format("{}/{}.bpf", directory, sha256_hex(all));
  if (auto file = open_file(path, O_RDONLY)) return file;
  TRY(const std::string program, compile());
  forget_when_full(directory);
  // A cache that cannot be written costs time, not correctness.
  if (make_directories(directory, 0700) && write_file(path, program, 0600)) return open_file(path, O_RDONLY);
  return memory_file("seccomp", program);
}

Result<CompiledSeccomp> compiled_seccomp(const std::string& cache_directory, const std::string& json,
                                         std::vector<std::string> capabilities) {
  std::sort(capabilities.begin(), capabilities.end());
  const SeccompContext context = seccomp_context(capabilities);
  CompiledSeccomp result;
  std::optional<SeccompProfile> profile;
  const auto parse = [&]() -> Result<void> {
    if (profile) return {};
    TRY(profile, parse_seccomp_profile(json, context));
    return {};
  };
  if (says_how_to_load(json)) {
    TRY(parse());
    result.flags = profile->flags;
    result.listener_path = profile->listener_path;
    result.listener_metadata = profile->listener_metadata;
  }
  const std::string facts = fmt::format("profile|{}|{}", join(capabilities, ","), sha256_hex(json));
  TRY(result.program, cached_program(cache_directory, facts, [&]() -> Result<std::string> {
        TRY(parse());
        return kernel::compile_seccomp(profile->policy);
      }));
  return result;
}

}  // namespace fermata::runtime
