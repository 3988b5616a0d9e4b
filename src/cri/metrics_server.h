// GET /metrics over plain HTTP/1.1, for Prometheus; one request a connection, one connection at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "cri/settings.h"

namespace fermata::cri {

class MetricsServer {
 public:
  // `text` is called by the server's own thread, and outlives it. Port 0: any that is free.
  static Result<std::unique_ptr<MetricsServer>> start(const HostPort& address,
                                                      std::function<std::string()> text);
  ~MetricsServer();
  std::uint16_t port() const { return port_; }

 private:
  MetricsServer(UniqueFd listener, UniqueFd wake, std::uint16_t port, std::function<std::string()> text)
      : listener_(std::move(listener)), wake_(std::move(wake)), port_(port), text_(std::move(text)) {}
  void serve();
  void answer(int connection) const;

  UniqueFd listener_, wake_;
  const std::uint16_t port_;
  const std::function<std::string()> text_;
  std::thread thread_;
};

// The answer to a request's first line. Pure but for `text`.
std::string metrics_answer(std::string_view request, const std::function<std::string()>& text);

}  // namespace fermata::cri
