// curl's failures as ours, in the words that docker's and podman's users know (Go's).
#pragma once

#include <string_view>

#include "image/transfer/http.h"

namespace fermata::image {

struct CurlFailure {
  int code = 0;            // CURLcode
  std::string_view text;   // the error buffer
  std::string_view host;   // that was asked
  long system_error = 0;   // CURLINFO_OS_ERRNO
  long verify_result = 0;  // X509_V_*
  bool connected = false;  // a connection stood, TLS included where it was asked for
};

// Sets `failure` and `error`.
void describe_failure(const CurlFailure& curl, HttpAnswer& answer);

}  // namespace fermata::image
