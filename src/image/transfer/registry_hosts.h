// The places where an image may be had: mirrors, and last the registry of its name, as the administrator's
// files say.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "image/images.h"
#include "image/transfer/http.h"
#include "oci/reference.h"

namespace fermata::image {

struct RegistryHost {
  std::string host;          // "registry-1.docker.io", "mirror.example:5000"
  std::string scheme;        // "https" or "http"; "": https, and http where that may be tried
  std::string path = "/v2";  // before the repository
  std::string repository;    // as this host calls it
  TlsTrust trust;
  bool plain_allowed = false;  // with scheme "": also where it is not loopback
  bool mirror = false;         // nobody's password is sent there
};

// At least one. A registry that is blocked: ErrorKind::permission.
Result<std::vector<RegistryHost>> registry_hosts(const oci::Reference& image, const RegistryFiles& files,
                                                 bool verify_tls);

}  // namespace fermata::image
