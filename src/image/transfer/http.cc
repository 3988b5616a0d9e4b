#include "image/transfer/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "base/text.h"
#include "image/transfer/http_failure.h"

namespace fermata::image {
namespace {

constexpr long kStalledSeconds = 60;
constexpr long kMaxRedirects = 10;
constexpr long kBufferBytes = 256 << 10;
constexpr std::size_t kMaxChallenges = 8;

bool worth_another_try(const HttpAnswer& answer) {
  if (answer.failure == HttpFailure::interrupted) return true;
  if (answer.failure != HttpFailure::none) return false;
  return answer.status == 429 || (answer.status >= 502 && answer.status <= 504);
}

// curl asks for a proxy for loopback addresses too; no proxy can reach this machine's own.
std::string no_proxy() {
  const char* given = ::getenv("no_proxy");
  if (given == nullptr) given = ::getenv("NO_PROXY");
  const std::string local = "localhost,127.0.0.0/8,::1";
  if (given == nullptr || *given == '\0') return local;
  return std::string_view(given) == "*" ? "*" : given + ("," + local);
}

struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

HeaderList headers_of(const HttpRequest& request) {
  HeaderList list;
  const auto add = [&](const std::string& line) {
    if (curl_slist* longer = ::curl_slist_append(list.get(), line.c_str())) {
      (void)list.release();
      list.reset(longer);
    }
  };
  if (!request.accept.empty()) add("Accept: " + join(request.accept, ", "));
  if (!request.authorization.empty()) add("Authorization: " + request.authorization);
  return list;
}

// What the callbacks of one transfer share.
struct Exchange {
  CURL* curl;
  const HttpRequest& request;
  const std::stop_token& stop;
  HttpAnswer& answer;
  std::uint64_t skip = 0;  // bytes that the sink has from an earlier try
  std::string content_range;
  bool body_begun = false;
  bool wrong_range = false;
};

// "bytes 100-199/200" -> 100
std::optional<std::uint64_t> range_start(std::string_view value) {
  constexpr std::string_view kUnit = "bytes ";
  if (!value.starts_with(kUnit)) return std::nullopt;
  const auto range = split_once(value.substr(kUnit.size()), '-');
  return range ? parse_unsigned(range->first) : std::nullopt;
}

bool begin_body(Exchange& exchange) {
  exchange.body_begun = true;
  ::curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &exchange.answer.status);
  if (exchange.answer.status == 200) exchange.skip = exchange.request.from;
  exchange.wrong_range =
      exchange.answer.status == 206 && range_start(exchange.content_range) != exchange.request.from;
  return !exchange.wrong_range;
}

std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* data) {
  auto& exchange = *static_cast<Exchange*>(data);
  std::string_view rest(bytes, count);
  const long status = exchange.answer.status;
  if (!exchange.body_begun) {
    const bool right = begin_body(exchange);
    if (exchange.request.sink && !right) return CURL_WRITEFUNC_ERROR;
    return on_body(bytes, 1, count, data);
  }
  if (exchange.request.sink && (status == 200 || status == 206)) {
    const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(exchange.skip, rest.size()));
    exchange.skip -= known;
    rest.remove_prefix(known);
    return rest.empty() || exchange.request.sink(rest) ? count : CURL_WRITEFUNC_ERROR;
  }
  std::string& body = exchange.answer.body;
  const std::size_t room = exchange.request.limit - body.size();
  body.append(rest.substr(0, room));
  exchange.answer.body_cut = rest.size() > room;
  return exchange.answer.body_cut ? CURL_WRITEFUNC_ERROR : count;
}

std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* data) {
  auto& exchange = *static_cast<Exchange*>(data);
  const std::string_view line(bytes, count);
  HttpAnswer& answer = exchange.answer;
  if (line.starts_with("HTTP/")) {  // a redirect's headers are forgotten
    answer.content_type.clear();
    answer.content_digest.clear();
    answer.challenges.clear();
    exchange.content_range.clear();
    return count;
  }
  const auto field = split_once(line, ':');
  if (!field) return count;
  const std::string name = to_lower(trim(field->first));
  const std::string_view value = trim(field->second);
  if (name == "content-type") answer.content_type = to_lower(trim(value.substr(0, value.find(';'))));
  if (name == "docker-content-digest") answer.content_digest = value;
  if (name == "content-range") exchange.content_range = value;
  if (name == "www-authenticate" && answer.challenges.size() < kMaxChallenges)
    answer.challenges.emplace_back(value);
  return count;
}

// Called about once a second, and more often while bytes flow.
int on_progress(void* data, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(data)->stop.stop_requested() ? 1 : 0;
}

void set_limits(CURL* curl) {
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  ::curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  // A sink that waits for a slow disk counts as slow too; the transfer then goes on by Range.
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  ::curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kBufferBytes);
  ::curl_easy_setopt(curl, CURLOPT_USERAGENT, "fermata");
  ::curl_easy_setopt(curl, CURLOPT_NOPROXY, no_proxy().c_str());
}

void set_trust(CURL* curl, const TlsTrust& trust) {
  ::curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, trust.verify ? 1L : 0L);
  ::curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, trust.verify ? 2L : 0L);
  // Go's clients, and so docker and podman, obey this; the library by itself does not.
  if (const char* file = ::getenv("SSL_CERT_FILE"); file != nullptr && *file != '\0')
    ::curl_easy_setopt(curl, CURLOPT_CAINFO, file);
  if (!trust.authorities.empty()) {
    // In the place of the bundle's file; the directory of the system's certificates stays.
    curl_blob authorities{.data = const_cast<char*>(trust.authorities.data()),
                          .len = trust.authorities.size(),
                          .flags = CURL_BLOB_COPY};
    ::curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &authorities);
  }
  if (trust.certificate.empty()) return;
  ::curl_easy_setopt(curl, CURLOPT_SSLCERT, trust.certificate.c_str());
  ::curl_easy_setopt(curl, CURLOPT_SSLKEY, (trust.key.empty() ? trust.certificate : trust.key).c_str());
}

void set_callbacks(CURL* curl, Exchange& exchange) {
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  ::curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  ::curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  ::curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
}

void read_result(CURL* curl, const HttpRequest& request, HttpAnswer& answer) {
  ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_off_t length = -1, wait = 0;
  ::curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  ::curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
  answer.length_known = length >= 0;
  answer.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(wait, 0, 3600));
  const char* url = nullptr;
  ::curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
  answer.host = host_of(url != nullptr ? std::string_view(url) : std::string_view(request.url));
}

}  // namespace

struct HttpClient::Impl {
  struct Close {
    void operator()(CURL* handle) const { ::curl_easy_cleanup(handle); }
  };
  std::unique_ptr<CURL, Close> curl;
  TlsTrust trust;
  std::stop_token stop;

  HttpAnswer get_once(const HttpRequest& request);
};

HttpClient::HttpClient(TlsTrust trust, std::stop_token stop) {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_ = std::make_unique<Impl>();
  impl_->curl.reset(::curl_easy_init());
  impl_->trust = std::move(trust);
  impl_->stop = std::move(stop);
}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::Impl::get_once(const HttpRequest& request) {
  HttpAnswer answer;
  CURL* handle = curl.get();
  const HeaderList headers = headers_of(request);
  if (handle == nullptr) {
    describe_failure({.code = CURLE_FAILED_INIT, .text = "curl did not start", .host = host_of(request.url)},
                     answer);
    return answer;
  }
  Exchange exchange{.curl = handle, .request = request, .stop = stop, .answer = answer};
  char text[CURL_ERROR_SIZE] = "";
  ::curl_easy_reset(handle);  // its connections stay
  set_limits(handle);
  set_trust(handle, trust);
  set_callbacks(handle, exchange);
  ::curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  ::curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, text);
  ::curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, static_cast<long>(request.connect_timeout.count()));
  const std::string range = std::to_string(request.from) + "-";
  if (request.from > 0) ::curl_easy_setopt(handle, CURLOPT_RANGE, range.c_str());
  if (!request.form.empty()) ::curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.form.c_str());

  const CURLcode code = ::curl_easy_perform(handle);
  ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
  read_result(handle, request, answer);
  if (code == CURLE_OK || answer.body_cut) return answer;
  CurlFailure failure{
      .code = code, .text = *text != '\0' ? text : ::curl_easy_strerror(code), .host = answer.host};
  if (exchange.wrong_range) {
    failure.code = CURLE_RANGE_ERROR;
    failure.text = "the server sent another range than it was asked for";
  }
  curl_off_t connected = 0;
  ::curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &failure.system_error);
  ::curl_easy_getinfo(handle, CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
  ::curl_easy_getinfo(handle, CURLINFO_PRETRANSFER_TIME_T, &connected);
  failure.connected = connected > 0;
  describe_failure(failure, answer);
  return answer;
}

HttpAnswer HttpClient::get(const HttpRequest& request) {
  for (int failures = 0;; ++failures) {
    HttpAnswer answer = impl_->get_once(request);
    if (failures >= request.retries || !worth_another_try(answer)) return answer;
    if (!pause_before_retry(impl_->stop, failures, answer.retry_after)) return answer;
  }
}

std::string_view host_of(std::string_view url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos)
    url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  return url;
}

bool is_loopback(std::string_view host) {
  if (host.starts_with("[")) return host.substr(0, host.find(']')) == "[::1";
  const std::string name = to_lower(host.substr(0, host.find(':')));
  if (name == "localhost") return true;
  in_addr address{};
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

std::string status_text(long status) {
  struct Row {
    long status;
    const char* text;
  };
  static constexpr Row kRows[] = {
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {402, "Payment Required"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {410, "Gone"},
      {416, "Range Not Satisfiable"},
      {429, "Too Many Requests"},
      {451, "Unavailable For Legal Reasons"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
  };
  for (const Row& row : kRows)
    if (row.status == status) return std::to_string(status) + " " + row.text;
  return std::to_string(status);
}

bool pause_before_retry(const std::stop_token& stop, int failures, std::chrono::seconds retry_after) {
  constexpr std::chrono::seconds kLongest{30};
  const std::chrono::milliseconds growing(200L << std::min(failures, 6));
  const auto pause = std::max<std::chrono::milliseconds>(growing, std::min(retry_after, kLongest));
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  (void)never.wait_for(lock, stop, pause, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace fermata::image
