#include "image/transfer/session.h"

#include <cerrno>

namespace fermata::image {
namespace {

bool has_port(const std::string& host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  return colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
}

}  // namespace

RegistrySession::RegistrySession(const oci::Reference& reference, RegistryHost host,
                                 const std::optional<Credentials>& credentials)
    : reference_(reference),
      host_(std::move(host)),
      may_be_plain_(host_.scheme.empty() && (is_loopback(host_.host) || host_.plain_allowed)),
      plain_(host_.scheme == "http"),
      authorizer_(host_.mirror ? std::nullopt : credentials, "repository:" + host_.repository + ":pull") {}

std::string RegistrySession::url(const std::string& path) const {
  return (plain_ ? "http://" : "https://") + host_.host + host_.path + "/" + host_.repository + "/" + path;
}

// Once, at the first request: a registry that spoke TLS is never asked without.
bool RegistrySession::fall_back(const HttpAnswer& answer) {
  if (!may_be_plain_ || decided_ || plain_) return false;
  const int system_error = answer.error ? answer.error->error_number() : 0;
  const bool no_https =
      answer.failure == HttpFailure::no_tls ||
      (answer.failure == HttpFailure::unreachable &&
       (system_error == ETIMEDOUT || (system_error == ECONNREFUSED && !has_port(host_.host))));
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
    const bool probing = may_be_plain_ && is_loopback(host_.host) && !decided_ && !plain_;
    request.connect_timeout = std::chrono::seconds(probing ? 5 : 30);
    HttpAnswer answer = client.get(request);
    if (fall_back(answer)) continue;
    if (answer.status != 0) decided_ = true;
    if (answer.failure != HttpFailure::none || answer.status != 401 || renewed) return answer;
    TRY(renewed,
        authorizer_.renew(client, answer.challenges, request.authorization, host_.trust.verify && !plain_));
    if (!renewed) return answer;
  }
}

}  // namespace fermata::image
