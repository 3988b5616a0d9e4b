// One repository of one registry: where it is, which scheme it speaks, who we are.
#pragma once

#include <atomic>
#include <string>

#include "image/transfer/auth.h"
#include "image/transfer/http.h"
#include "image/transfer/registry_hosts.h"
#include "oci/reference.h"

namespace fermata::image {

// Thread-safe after the first get(); each thread brings its own client.
class RegistrySession {
 public:
  // Credentials are for the registry itself, not for its mirrors.
  RegistrySession(const oci::Reference& reference, RegistryHost host,
                  const std::optional<Credentials>& credentials);

  const oci::Reference& reference() const { return reference_; }
  bool authenticated() const { return authorizer_.has_credentials(); }
  // GET /v2/<repository>/<path>. Fills in the request's url and authorization; a 401 is answered with what we
  // have, so a 401 that is returned is the registry's last word.
  Result<HttpAnswer> get(HttpClient& client, HttpRequest request, const std::string& path);

 private:
  std::string url(const std::string& path) const;
  bool fall_back(const HttpAnswer& answer);

  const oci::Reference reference_;
  const RegistryHost host_;
  const bool may_be_plain_;  // http is acceptable when there is no TLS
  std::atomic<bool> plain_;
  std::atomic<bool> decided_ = false;
  Authorizer authorizer_;
};

}  // namespace fermata::image
