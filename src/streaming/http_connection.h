// The beginning of a connection: TLS, one HTTP request, its token, and the choice of a protocol. From there
// on it is a session.
#pragma once

#include <chrono>
#include <memory>

#include "streaming/link.h"
#include "streaming/session_context.h"
#include "streaming/tokens.h"
#include "streaming/transport.h"

namespace fermata::streaming {

// What connections share. Outlives them.
struct ConnectionEnvironment {
  TokenCache* tokens;
  Transports* transports;
  boost::asio::thread_pool* workers;
  Backend* backend;
  std::chrono::nanoseconds idle_timeout, stream_creation_timeout;
};

// Takes the connection over. A bad request gets its answer: 400 no upgrade, 403 no protocol in common, 404
// unknown token, 405 neither GET nor POST.
void serve_connection(Link link, const ConnectionEnvironment& environment);

}  // namespace fermata::streaming
