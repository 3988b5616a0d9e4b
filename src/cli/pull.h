// Pulling an image, as `pull`, `run` and `create` do it.
#pragma once

#include <string>

#include "base/error.h"
#include "pod/engine.h"

namespace fermata::cli {

struct PullRequest {
  std::string image;         // as the user wrote it
  std::string architecture;  // "" this machine's
  bool quiet = false;
  bool tls_verify = true;
  std::string credentials;  // "user:password", "": those of the auth file
  int output = 1;           // where progress goes: `run` uses standard error
};

// Returns the canonical name.
Result<std::string> pull_image(pod::Engine& engine, const PullRequest& request);

}  // namespace fermata::cli
