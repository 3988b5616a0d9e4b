#include "image/transfer/session.h"

#include <cerrno>

namespace fermata::image {
namespace {

// The name that users type is not the host that serves it.
std::string host_of_registry(const std::string& registry) {
  return registry == "docker.io" ? "registry-1.docker.io" : registry;
}

bool has_port(const std::string& host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  return colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
}

}  // namespace

RegistrySession::RegistrySession(const oci::Reference& reference, const PullOptions& options)
    : reference_(reference),
      host_(host_of_registry(reference.registry)),
      may_be_plain_(is_loopback(host_) || !options.tls_verify),
      verify_tls_(options.tls_verify),
      authorizer_(options.credentials, "repository:" + reference.repository + ":pull") {}

std::string RegistrySession::url(const std::string& path) const {
  return (plain_ ? "http://" : "https://") + host_ + "/v2/" + reference_.repository + "/" + path;
}

// Once, at the first request: a registry that spoke TLS is never asked without.
bool RegistrySession::fall_back(const HttpAnswer& answer) {
  if (!may_be_plain_ || decided_ || plain_) return false;
  const int system_error = answer.error ? answer.error->error_number() : 0;
  const bool no_https = answer.failure == HttpFailure::no_tls ||
                        (answer.failure == HttpFailure::unreachable &&
                         (system_error == ETIMEDOUT || (system_error == ECONNREFUSED && !has_port(host_))));
  if (no_https) plain_ = true;
  return no_https;
}

Result<HttpAnswer> RegistrySession::get(HttpClient& client, HttpRequest request, const std::string& path) {
  // One renewal answers the registry's question, or replaces a token that ran out; a fresh one that is
  // refused is refused for good.
  for (bool renewed = false;;) {
    request.url = url(path);
    request.authorization = authorizer_.value();
    // A server without TLS may take our greeting for the beginning of a long request; this machine's own
    // answers soon if it answers at all.
    const bool probing = is_loopback(host_) && !decided_ && !plain_;
    request.connect_timeout = std::chrono::seconds(probing ? 5 : 30);
    HttpAnswer answer = client.get(request);
    if (fall_back(answer)) continue;
    if (answer.status != 0) decided_ = true;
    if (answer.failure != HttpFailure::none || answer.status != 401 || renewed) return answer;
    TRY(renewed, authorizer_.renew(client, answer.challenges, request.authorization, verify_tls_ && !plain_));
    if (!renewed) return answer;
  }
}

}  // namespace fermata::image
