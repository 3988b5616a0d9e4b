#include "image/transfer/auth.h"

#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace fermata::image {
namespace {

constexpr std::size_t kMaxChallenges = 16;
constexpr std::size_t kMaxParameters = 32;
constexpr std::size_t kMaxToken = 48u << 10;  // servers take header lines of 8 to 64 kB
constexpr int kTokenRetries = 2;

bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// The header, from left to right.
class ChallengeParser {
 public:
  explicit ChallengeParser(std::string_view text) : rest_(text) {}

  std::vector<Challenge> parse() {
    std::vector<Challenge> challenges;
    while (true) {
      skip(" \t,");
      const std::string_view name = token();
      if (name.empty()) return challenges;
      // "name =" continues the challenge, anything else begins one: a comma separates both (RFC
      // 9110, 11.6.1).
      const std::string_view before = rest_;
      skip(" \t");
      if (!rest_.starts_with("=") || challenges.empty()) {
        rest_ = before;
        if (challenges.size() >= kMaxChallenges) return challenges;
        challenges.push_back({to_lower(name), {}});
        skip_token68();
        continue;
      }
      rest_.remove_prefix(1);
      skip(" \t");
      std::string text;
      if (!value(text)) return challenges;
      auto& parameters = challenges.back().parameters;
      if (parameters.size() < kMaxParameters) parameters.emplace(to_lower(name), std::move(text));
    }
  }

 private:
  void skip(std::string_view characters) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(characters), rest_.size()));
  }
  std::string_view token() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_token_char);
    const std::string_view found = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(found.size());
    return found;
  }
  bool value(std::string& out) {
    if (!rest_.starts_with("\"")) {
      out = token();
      return !out.empty();
    }
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (rest_[i] == '\\' && ++i == rest_.size()) return false;
      out += rest_[i];
    }
    return false;
  }
  // "Negotiate YWJj==" : bytes after a scheme that are no parameter's name.
  void skip_token68() {
    std::string_view ahead = rest_;
    const std::size_t start = ahead.find_first_not_of(" \t");
    if (start == 0 || start == std::string_view::npos) return;
    ahead.remove_prefix(start);
    std::size_t end = 0;
    while (end < ahead.size() && (is_token_char(ahead[end]) || ahead[end] == '/')) ++end;
    while (end < ahead.size() && ahead[end] == '=') ++end;
    const std::size_t next = ahead.find_first_not_of(" \t", end);
    if (end > 0 && (next == std::string_view::npos || ahead[next] == ',')) rest_ = ahead.substr(end);
  }

  std::string_view rest_;
};

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += "%" + hex(std::string_view(&c, 1));
    }
  }
  return out;
}

std::string parameter(const Challenge& challenge, const char* key) {
  const auto found = challenge.parameters.find(key);
  return found == challenge.parameters.end() ? "" : found->second;
}

// Neither blanks nor control characters: fit for a URL or a header line.
bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view header) { return ChallengeParser(header).parse(); }

Result<std::string> token_url(const Challenge& bearer, const std::string& default_scope,
                              const std::string& account) {
  std::string url = parameter(bearer, "realm");
  const std::string lower = to_lower(url.substr(0, 8));
  if ((!lower.starts_with("https://") && !lower.starts_with("http://")) || !is_visible(url) ||
      host_of(url).empty())
    return fail(ErrorKind::failed,
                "the registry names no usable token server in its WWW-Authenticate header");
  char separator = url.find('?') == std::string::npos ? '?' : '&';
  const auto add = [&](const char* key, std::string_view value) {
    if (value.empty()) return;
    url += separator + (std::string(key) + "=") + percent_encoded(value);
    separator = '&';
  };
  add("account", account);
  add("service", parameter(bearer, "service"));
  const std::string scope = parameter(bearer, "scope");
  for (const std::string_view one : split(scope.empty() ? default_scope : scope, ' ')) add("scope", one);
  return url;
}

std::string token_form(const Challenge& bearer, const std::string& default_scope,
                       const std::string& identity_token) {
  const std::string scope = parameter(bearer, "scope");
  return "grant_type=refresh_token&client_id=fermata&service=" +
         percent_encoded(parameter(bearer, "service")) +
         "&scope=" + percent_encoded(scope.empty() ? default_scope : scope) +
         "&refresh_token=" + percent_encoded(identity_token);
}

Result<std::string> parse_token(std::string_view json) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (document.is_object()) {
    for (const char* key : {"token", "access_token"}) {
      const auto found = document.find(key);
      if (found == document.end() || !found->is_string()) continue;
      const auto& token = found->get_ref<const std::string&>();
      if (token.empty()) continue;
      // It becomes a header line.
      if (token.size() > kMaxToken || !is_visible(token)) break;
      return token;
    }
  }
  return fail(ErrorKind::failed, "the answer holds no token");
}

std::string basic_authorization(const Credentials& credentials) {
  const std::string plain = credentials.user + ":" + credentials.password;
  std::string encoded(4 * ((plain.size() + 2) / 3) + 1, '\0');  // and the zero that OpenSSL appends
  const int length =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                        reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return "Basic " + encoded;
}

Authorizer::Authorizer(std::optional<Credentials> credentials, std::string scope)
    : credentials_(std::move(credentials)), scope_(std::move(scope)) {
  if (credentials_ && !credentials_->registry_token.empty() && is_visible(credentials_->registry_token))
    value_ = "Bearer " + credentials_->registry_token;
}

std::string Authorizer::value() const {
  const std::scoped_lock lock(mutex_);
  return value_;
}

Result<bool> Authorizer::renew(HttpClient& client, const std::vector<std::string>& challenges,
                               const std::string& used, bool secure) {
  // Held while the token is fetched: the other threads need the same one.
  const std::scoped_lock lock(mutex_);
  if (value_ != used) return true;
  bool basic = false;
  for (const std::string& header : challenges) {
    for (const Challenge& challenge : parse_challenges(header)) {
      if (challenge.scheme == "bearer") return fetch_token(client, challenge, secure);
      basic = basic || challenge.scheme == "basic";
    }
  }
  if (!basic || !credentials_ || credentials_->user.empty() || !value_.empty()) return false;
  value_ = basic_authorization(*credentials_);
  return true;
}

Result<bool> Authorizer::fetch_token(HttpClient& client, const Challenge& bearer, bool secure) {
  HttpRequest request;
  TRY(request.url, token_url(bearer, scope_, credentials_ ? credentials_->user : ""));
  const std::string host(host_of(request.url));
  const bool plain = to_lower(request.url.substr(0, 5)) == "http:";
  if (credentials_ && secure && plain && !is_loopback(host))
    return fail(ErrorKind::permission,
                "the registry wants the password sent to {} without TLS (--tls-verify=false allows it)",
                host);
  request.limit = 1u << 20;
  request.retries = kTokenRetries;
  if (credentials_ && !credentials_->identity_token.empty()) {
    request.url = parameter(bearer, "realm");
    request.form = token_form(bearer, scope_, credentials_->identity_token);
  } else if (credentials_ && !credentials_->user.empty()) {
    request.authorization = basic_authorization(*credentials_);
  }
  const HttpAnswer answer = client.get(request);
  const std::string context = "token server " + host;
  if (answer.failure != HttpFailure::none) return fail_with(*answer.error, context);
  if (answer.status >= 400 && answer.status < 500 && answer.status != 429) return false;
  if (answer.status != 200)
    return fail(ErrorKind::unavailable, "{}: received unexpected HTTP status: {}", context,
                status_text(answer.status));
  auto token = answer.body_cut ? parse_token({}) : parse_token(answer.body);
  if (!token) return fail_with(std::move(token.error()), context);
  value_ = "Bearer " + *token;
  return true;
}

}  // namespace fermata::image
