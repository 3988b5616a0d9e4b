// HTTP GET over libcurl: what the registry client needs of it, and nothing about registries.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::image {

struct TlsTrust {
  bool verify = true;
  std::string authorities;       // PEM text of what is trusted beside the system's; "": nothing
  std::string certificate, key;  // our own, PEM files; "": none
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> accept;  // media types
  std::string authorization;        // the header's value; redirects to another host, port or scheme drop it
  std::size_t limit = 64u << 10;    // bytes of a body that is kept; of a longer one this much
  int retries = 0;                  // how often an interrupted answer, 429, 502, 503, 504 is asked for again
  // Gets the body of 200 and 206 instead of HttpAnswer::body; false ends the transfer.
  std::function<bool(std::string_view bytes)> sink;
  std::chrono::seconds connect_timeout{30};  // TLS handshake included
  std::string form;                          // application/x-www-form-urlencoded; then it is a POST
  std::uint64_t from = 0;  // the sink gets the bytes from here on, whether the server knows Range or not
};

enum class HttpFailure {
  none,
  no_tls,       // https was asked of a server that does not speak TLS
  unreachable,  // no such host, refused (error_number ECONNREFUSED), no route, or ETIMEDOUT: TLS may be what
                // hangs
  interrupted,  // it began, and broke or stalled: worth another try
  stopped,      // by the sink or the stop token
  fatal,        // a certificate, a malformed answer, ...
};

struct HttpAnswer {
  HttpFailure failure = HttpFailure::none;
  std::optional<Error> error;  // set with every failure but none
  long status = 0;             // 0: not even a status line came
  std::string body;
  bool body_cut = false;      // longer than the limit
  bool length_known = false;  // the server said how long the body is, and that much came
  std::string content_type;   // lower case, without parameters
  std::string content_digest;
  std::vector<std::string> challenges;  // WWW-Authenticate, each
  std::chrono::seconds retry_after{0};
  std::string host;  // that answered, redirects followed: "127.0.0.1:5000"
};

// One connection cache; not thread-safe, each thread has its own. Proxies come from the environment.
class HttpClient {
 public:
  HttpClient(TlsTrust trust, std::stop_token stop);
  HttpClient(HttpClient&&) noexcept;
  ~HttpClient();

  HttpAnswer get(const HttpRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "https://a:5000/x" -> "a:5000"
std::string_view host_of(std::string_view url);
// localhost, 127.0.0.0/8 or [::1], with or without a port.
bool is_loopback(std::string_view host);
// "500 Internal Server Error"
std::string status_text(long status);
// Waits before try number `failures` + 1: longer each time, as long as the server asks within reason. False:
// stopped.
bool pause_before_retry(const std::stop_token& stop, int failures, std::chrono::seconds retry_after);

}  // namespace fermata::image
