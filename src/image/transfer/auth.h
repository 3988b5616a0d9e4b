// Who may pull: the WWW-Authenticate header (RFC 9110, 11.6.1), bearer tokens of a token server
// (distribution's auth specification), Basic.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "image/images.h"
#include "image/transfer/http.h"

namespace fermata::image {

struct Challenge {
  std::string scheme;                             // lower case: "bearer"
  std::map<std::string, std::string> parameters;  // keys in lower case
};

// One header's challenges. Foreign bytes: what cannot be understood ends it, what came before is kept.
std::vector<Challenge> parse_challenges(std::string_view header);
// Where to ask for a token. Fails if the realm is no http or https URL.
Result<std::string> token_url(const Challenge& bearer, const std::string& default_scope,
                              const std::string& account);
// What is sent to it to have a token for an identity token; "Authenticating to the registry using OAuth2".
std::string token_form(const Challenge& bearer, const std::string& default_scope,
                       const std::string& identity_token);
// The token server's answer.
Result<std::string> parse_token(std::string_view json);
// "Basic dXNlcjpwYXNz"
std::string basic_authorization(const Credentials& credentials);

// The Authorization header of one repository. Thread-safe.
class Authorizer {
 public:
  Authorizer(std::optional<Credentials> credentials, std::string scope);

  // The header's value, "" before the registry asked for one.
  std::string value() const;
  bool has_credentials() const { return credentials_.has_value(); }
  // After a 401 to a request that carried `used`: gets what the registry asks for. False: nothing (more) can
  // be offered. `secure`: the registry itself was reached over verified TLS, so passwords stay on such paths.
  Result<bool> renew(HttpClient& client, const std::vector<std::string>& challenges, const std::string& used,
                     bool secure);

 private:
  Result<bool> fetch_token(HttpClient& client, const Challenge& bearer, bool secure);

  const std::optional<Credentials> credentials_;
  const std::string scope_;
  mutable std::mutex mutex_;
  std::string value_;
};

}  // namespace fermata::image
