// A pull by a process of its own: the libraries that it takes, for TLS and for archives, and the memory they
// keep, go with it; and what reads foreign archives is not what serves the node.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "image/images.h"

namespace fermata::cri {

struct PullRequest {
  std::string root;   // the store's
  std::string image;  // canonical
  std::optional<image::Credentials> credentials;
  image::RegistryFiles registries;
};
// As JSON text, for the process's standard input: secrets have no place on a command line.
std::string serialize_pull(const PullRequest& request);
Result<PullRequest> parse_pull(std::string_view json);

// The answer: the image's id, or the error with its kind.
std::string serialize_pulled(const Result<std::string>& pulled);
Result<std::string> parse_pulled(std::string_view json);

// The word with which this program pulls: it reads a request from standard input and writes the answer to
// standard output. Called with nothing else running in the process.
inline constexpr const char* kPullCommand = "pull-for-daemon";
int run_pull_command();

// Runs this program so; its end is waited for. Stopped, it takes back what it has begun.
Result<std::string> pull_by_process(const PullRequest& request, const std::stop_token& stop);

}  // namespace fermata::cri
