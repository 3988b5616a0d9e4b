// A small HTTP/1.1 server on 127.0.0.1 that does what a test tells it to, failures included.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/text.h"

namespace fermata::test {

struct ServedRequest {
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};
struct Reply {
  int status = 200;
  std::string body;
  std::vector<std::string> headers;
  std::optional<std::size_t> cut;  // bytes of the body after which the connection closes
  bool reset = false;              // and how
};

class HttpServer {
 public:
  using Handler = std::function<Reply(const ServedRequest&)>;

  // `mute`: to a TLS greeting it says nothing, as a server does that waits for the end of a line.
  explicit HttpServer(Handler handler, bool mute = false) : handler_(std::move(handler)), mute_(mute) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 64) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    host_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~HttpServer() {
    ending_ = true;
    acceptor_.join();
    for (std::thread& thread : connections_) thread.join();
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& host() const { return host_; }
  std::vector<ServedRequest> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void accept_all() {
    while (!ending_) {
      if (!readable(listener_.get())) continue;
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) connections_.emplace_back([this, fd] { serve(UniqueFd(fd)); });
    }
  }
  bool readable(int fd) const {
    pollfd poll{.fd = fd, .events = POLLIN};
    return ::poll(&poll, 1, 50) > 0;
  }
  // One request a connection.
  void serve(UniqueFd fd) {
    std::string text;
    while (!ending_ && text.find("\r\n\r\n") == std::string::npos) {
      if (!readable(fd.get())) continue;
      char buffer[4096];
      const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return;
      text.append(buffer, static_cast<std::size_t>(got));
      if (text[0] != 'G' && !mute_) {  // a TLS greeting
        send_all(fd.get(), "HTTP/1.0 400 Bad Request\r\n\r\n");
        return;
      }
    }
    if (ending_) return;
    const ServedRequest request = parse(text);
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
    }
    answer(fd.get(), handler_(request));
  }
  static ServedRequest parse(const std::string& text) {
    ServedRequest request;
    const auto lines = split(text, '\n');
    request.path = split(lines[0], ' ')[1];
    for (const std::string_view line : lines)
      if (const auto field = split_once(line, ':'))
        request.headers[to_lower(field->first)] = trim(field->second);
    return request;
  }
  static void answer(int fd, const Reply& reply) {
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " x\r\nConnection: close\r\n";
    head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    for (const std::string& line : reply.headers) head += line + "\r\n";
    send_all(fd, head + "\r\n" + reply.body.substr(0, reply.cut.value_or(std::string::npos)));
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    if (reply.reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  static void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  const Handler handler_;
  const bool mute_;
  UniqueFd listener_;
  std::string host_;
  std::atomic<bool> ending_ = false;
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::vector<std::thread> connections_;  // the acceptor's
  std::thread acceptor_;
};

}  // namespace fermata::test
