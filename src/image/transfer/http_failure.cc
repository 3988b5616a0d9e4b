#include "image/transfer/http_failure.h"

#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>

namespace fermata::image {
namespace {

Error make_error(tl::unexpected<Error> error) { return std::move(error).value(); }

bool says(const CurlFailure& curl, std::string_view what) {
  return curl.text.find(what) != std::string_view::npos;
}

Error certificate_error(const CurlFailure& curl) {
  constexpr const char* kPrefix = "tls: failed to verify certificate: x509: ";
  // The chain is good, the name is not: curl checks it itself and leaves verify_result unset.
  if (says(curl, "target host name"))
    return make_error(
        fail(ErrorKind::failed, "{}certificate is not valid for {} ({})", kPrefix, curl.host, curl.text));
  switch (curl.verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return make_error(
          fail(ErrorKind::failed,
               "{}certificate has expired or is not yet valid ({}; is this machine's clock right?)", kPrefix,
               curl.host));
    default:
      return make_error(fail(ErrorKind::failed,
                             "{}certificate signed by unknown authority (of {}; put its CA into "
                             "/usr/local/share/ca-certificates and run update-ca-certificates, or use "
                             "--tls-verify=false)",
                             kPrefix, curl.host));
  }
}

Error connect_error(const CurlFailure& curl) {
  if (curl.system_error != 0)
    return make_error(fail(static_cast<int>(curl.system_error), "dial tcp {}: connect", curl.host));
  return make_error(fail(ErrorKind::unavailable, "dial tcp {}: {}", curl.host, curl.text));
}

Error handshake_error(const CurlFailure& curl, bool plain) {
  if (plain)
    return make_error(fail(ErrorKind::failed,
                           "http: server gave HTTP response to HTTPS client ({}; --tls-verify=false allows a "
                           "registry without TLS)",
                           curl.host));
  return make_error(fail(ErrorKind::failed, "tls: handshake with {} failed: {}", curl.host, curl.text));
}

HttpFailure classify(const CurlFailure& curl) {
  switch (curl.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return HttpFailure::unreachable;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_RECV_ERROR:  // a proxy that refuses the tunnel is one too
      return curl.connected ? HttpFailure::interrupted : HttpFailure::unreachable;
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return HttpFailure::interrupted;
    case CURLE_WRITE_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
      return HttpFailure::stopped;
    case CURLE_SSL_CONNECT_ERROR:
      // A peer that sends TLS alerts, or offers versions, does speak TLS.
      return says(curl, "alert") || says(curl, "unsupported protocol") ? HttpFailure::fatal
                                                                       : HttpFailure::no_tls;
    default:
      return HttpFailure::fatal;
  }
}

Error unreachable_error(const CurlFailure& curl) {
  if (curl.code == CURLE_OPERATION_TIMEDOUT)
    return {ErrorKind::unavailable, ETIMEDOUT, "dial tcp " + std::string(curl.host) + ": i/o timeout"};
  return make_error(fail(ErrorKind::unavailable, "dial tcp {}: {}", curl.host, curl.text));
}

Error interrupted_error(const CurlFailure& curl) {
  if (curl.code == CURLE_OPERATION_TIMEDOUT)
    return make_error(fail(ErrorKind::unavailable, "{} stopped sending: i/o timeout", curl.host));
  return make_error(fail(ErrorKind::unavailable, "{} closed the connection in the middle of the answer: {}",
                         curl.host, says(curl, "reset") ? "connection reset by peer" : "unexpected EOF"));
}

}  // namespace

void describe_failure(const CurlFailure& curl, HttpAnswer& answer) {
  answer.failure = classify(curl);
  switch (curl.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      answer.error = make_error(fail(ErrorKind::unavailable, "dial tcp: lookup {}: no such host", curl.host));
      return;
    case CURLE_COULDNT_RESOLVE_PROXY:
      answer.error = make_error(fail(
          ErrorKind::unavailable, "the proxy of the environment (https_proxy, http_proxy): {}", curl.text));
      return;
    case CURLE_COULDNT_CONNECT:
      answer.error = connect_error(curl);
      return;
    case CURLE_PEER_FAILED_VERIFICATION:
      answer.error = certificate_error(curl);
      return;
    case CURLE_SSL_CACERT_BADFILE:
      answer.error = make_error(fail(ErrorKind::failed,
                                     "tls: no trusted certificates: {} (install the package ca-certificates)",
                                     curl.text));
      return;
    case CURLE_SSL_CONNECT_ERROR:
      answer.error = handshake_error(curl, answer.failure == HttpFailure::no_tls);
      return;
    default:
      break;
  }
  switch (answer.failure) {
    case HttpFailure::unreachable:
      answer.error = unreachable_error(curl);
      return;
    case HttpFailure::interrupted:
      answer.error = interrupted_error(curl);
      return;
    case HttpFailure::stopped:
      answer.error = make_error(fail(ErrorKind::failed, "the transfer from {} was stopped", curl.host));
      return;
    default:
      answer.error = make_error(fail(ErrorKind::failed, "{}: {}", curl.host, curl.text));
  }
}

}  // namespace fermata::image
