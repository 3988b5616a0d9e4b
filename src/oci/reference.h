// Names of images: "nginx", "nginx:1.25", "localhost:5000/a/b@sha256:...". Canonical form and familiar form
// as docker has them (distribution/reference): a first part with '.' or ':' or "localhost" is the registry.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::oci {

struct Reference {
  std::string registry;    // "docker.io"
  std::string repository;  // "library/nginx"
  std::string tag;         // "latest" when neither tag nor digest was given; "" with a digest alone
  std::string digest;      // "sha256:..." or ""

  // "docker.io/library/nginx:latest", "...@sha256:..." (with both: name:tag@digest)
  std::string canonical() const;
  // "nginx:latest": docker.io/ and library/ left out
  std::string familiar() const;
  std::string familiar_repository() const;
};

// Malformed names give docker's words: "invalid reference format", and name what was given.
Result<Reference> parse_reference(std::string_view text);
// sha256:<64 lower-case hex> (sha512 likewise).
bool is_digest(std::string_view text);

}  // namespace fermata::oci
