// The HTTP server of Kubernetes' CRI streaming: exec, attach and port-forward for kubelet, crictl and
// kubectl, over SPDY/3.1 and WebSocket. CRI's calls Exec, Attach and PortForward give the request to put()
// and its client a URL; the client connects there, and the connection becomes the streams of a process or of
// ports.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "streaming/backend.h"
#include "streaming/request.h"

namespace fermata::streaming {

struct ServerOptions {
  std::string address = "127.0.0.1";  // of this host, IPv4 or IPv6
  std::uint16_t port = 0;             // 0: any that is free
  // The host of the URLs, when it is not the address (that of a listener on all addresses is of no use).
  std::string advertised_host;
  // PEM files; with both the server speaks TLS only.
  std::string certificate, key;
  std::chrono::nanoseconds idle_timeout = std::chrono::hours(4);  // without a byte in either direction
  std::chrono::nanoseconds stream_creation_timeout = std::chrono::seconds(30);
  std::chrono::nanoseconds token_lifetime = std::chrono::minutes(1);
  std::size_t max_waiting = 1000;  // requests whose client has not come yet
  int threads = 2;                 // that carry bytes
  int workers = 8;                 // that call the backend
};

// Thread-safe.
class Server {
 public:
  // Listens. The backend must outlive the server.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Backend& backend);
  // Ends all sessions, as if their clients had gone; waits for calls of the backend that are under way.
  ~Server();

  // The URL for one connection within token_lifetime: "http://127.0.0.1:40001/exec/<token>".
  // ErrorKind::invalid_argument: see validate(). ErrorKind::unavailable: max_waiting is reached.
  Result<std::string> put(Request request);
  // "http://127.0.0.1:40001"
  const std::string& base_url() const;
  std::uint16_t port() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::streaming
