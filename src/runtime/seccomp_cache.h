// Compiled filters on disk. A start that finds its program there costs no libseccomp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "runtime/seccomp_profile.h"

namespace fermata::runtime {

// Of this host: what profiles ask about.
SeccompContext seccomp_context(const std::vector<std::string>& capabilities);

// The program that `compile` makes, from `<directory>/<key>.bpf` when it is there; a memfd when the directory
// cannot be written. `facts`: everything that the program depends on beside this host and our libraries.
Result<UniqueFd> cached_program(const std::string& directory, const std::string& facts,
                                const std::function<Result<std::string>()>& compile);

// A profile ready to be loaded: the program, and how (runtime/seccomp_profile.h). `program` is an array of
// struct sock_filter.
struct CompiledSeccomp {
  UniqueFd program;
  std::uint32_t flags = 0;  // StartOptions::seccomp_flags
  std::string listener_path, listener_metadata;
};
// Keyed by the content of `json` and the names in `capabilities`.
Result<CompiledSeccomp> compiled_seccomp(const std::string& cache_directory, const std::string& json,
                                         std::vector<std::string> capabilities);

}  // namespace fermata::runtime
