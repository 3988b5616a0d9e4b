// Clients for the tests: blocking, one thread each, on loopback. They speak SPDY and WebSocket with code of
// their own where the server's would hide a fault on both sides.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/text.h"
#include "streaming/big_endian.h"
#include "streaming/spdy_frame.h"

namespace fermata::streaming::testing {

// Bytes both ways. recv() waits for some seconds; "": the end.
class Bytes {
 public:
  virtual ~Bytes() = default;
  virtual void send(std::string_view bytes) = 0;
  virtual std::string recv() = 0;
};

class Tcp final : public Bytes {
 public:
  explicit Tcp(std::uint16_t port, int receive_buffer = 0) {
    fd_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer != 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;  // as Go's clients
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd_.reset();
  }
  void send(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  std::string recv() override {
    if (!early_.empty()) return std::exchange(early_, {});
    if (!readable(20000)) return "";
    std::string bytes(64 * 1024, '\0');
    const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  // What does not fit is left out; how much was taken.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return put > 0 ? static_cast<std::size_t>(put) : 0;
  }
  bool readable(int milliseconds) const {
    pollfd state = {fd_.get(), POLLIN, 0};
    return ::poll(&state, 1, milliseconds) > 0;
  }
  void give_back(std::string bytes) { early_ = std::move(bytes); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string early_;
};

struct Answer {
  int status = 0;
  std::string head, body;
  // The value of a header, in lower case names; "" if absent.
  std::string header(const std::string& name) const {
    for (const auto line : split(head, '\n'))
      if (const auto pair = split_once(line, ':'); pair && to_lower(pair->first) == name)
        return std::string(trim(pair->second));
    return "";
  }
};

inline Answer ask(Tcp& tcp, const std::string& request) {
  tcp.send(request);
  std::string all;
  std::size_t end = std::string::npos;
  while ((end = all.find("\r\n\r\n")) == std::string::npos) {
    const std::string more = tcp.recv();
    if (more.empty()) return {};
    all += more;
  }
  Answer answer;
  answer.head = all.substr(0, end);
  answer.status = static_cast<int>(parse_unsigned(answer.head.substr(9, 3)).value_or(0));
  if (answer.status == 101) {
    tcp.give_back(all.substr(end + 4));
    return answer;
  }
  answer.body = all.substr(end + 4);
  // A server that keeps the connection tells the length.
  const auto size = parse_unsigned(answer.header("content-length")).value_or(SIZE_MAX);
  for (std::string more; answer.body.size() < size && !(more = tcp.recv()).empty();) answer.body += more;
  return answer;
}

// "http://127.0.0.1:1/exec/x" -> "/exec/x"
inline std::string path_of(const std::string& url) { return url.substr(url.find('/', 8)); }
inline std::uint16_t port_of(const std::string& url) {
  const auto colon = url.rfind(':');
  return static_cast<std::uint16_t>(*parse_unsigned(url.substr(colon + 1, url.find('/', colon) - colon - 1)));
}

inline Answer ask_spdy(Tcp& tcp, const std::string& url, const std::string& protocols) {
  return ask(tcp,
             "POST " + path_of(url) +
                 " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n" +
                 "X-Stream-Protocol-Version: " + protocols + "\r\n\r\n");
}

inline Answer ask_websocket(Tcp& tcp, const std::string& url, const std::string& protocols) {
  return ask(tcp, "GET " + path_of(url) +
                      " HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                      (protocols.empty() ? "" : "Sec-WebSocket-Protocol: " + protocols + "\r\n") + "\r\n");
}

// RFC 6455, section 5.2.
class WebSocket final : public Bytes {
 public:
  explicit WebSocket(Tcp& tcp) : tcp_(tcp) {}
  struct Message {
    int opcode = 0;  // 0: the end
    std::string bytes;
  };
  void send(std::string_view bytes) override { send_frame(2, bytes, true); }
  void send_frame(int opcode, std::string_view bytes, bool last) {
    std::string frame;
    frame += static_cast<char>((last ? 0x80 : 0) | opcode);
    if (bytes.size() < 126) {
      frame += static_cast<char>(0x80 | bytes.size());
    } else if (bytes.size() < 65536) {
      frame += static_cast<char>(0x80 | 126);
      append_u16(frame, static_cast<std::uint32_t>(bytes.size()));
    } else {
      frame += static_cast<char>(0x80 | 127);
      append_u32(frame, 0);
      append_u32(frame, static_cast<std::uint32_t>(bytes.size()));
    }
    const char mask[] = {'\x12', '\x34', '\x56', '\x78'};
    frame.append(mask, 4);
    const std::size_t at = frame.size();
    frame += bytes;
    for (std::size_t i = at; i < frame.size(); ++i)
      frame[i] = static_cast<char>(frame[i] ^ mask[(i - at) % 4]);
    tcp_.send(frame);
  }
  Message next() {
    if (!need(2)) return {};
    const int opcode = buffer_[0] & 0x0f;
    std::size_t size = static_cast<unsigned char>(buffer_[1]) & 0x7f, at = 2;
    if (size == 126) {
      if (!need(at = 4)) return {};
      size = read_u32(std::string(2, '\0') + buffer_.substr(2, 2), 0);
    } else if (size == 127) {
      if (!need(at = 10)) return {};
      size = read_u32(buffer_, 6);
    }
    if (!need(at + size)) return {};
    Message message{opcode, buffer_.substr(at, size)};
    buffer_.erase(0, at + size);
    return message;
  }
  // The tunnel: the bytes of binary messages.
  std::string recv() override {
    for (;;) {
      Message message = next();
      if (message.opcode == 0 || message.opcode == 8) return "";
      if (message.opcode == 2 && !message.bytes.empty()) return std::move(message.bytes);
    }
  }

 private:
  bool need(std::size_t size) {
    while (buffer_.size() < size) {
      const std::string more = tcp_.recv();
      if (more.empty()) return false;
      buffer_ += more;
    }
    return true;
  }
  Tcp& tcp_;
  std::string buffer_;
};

// `windows`: keeps to windows and renews the server's, which moby/spdystream does not.
class Spdy {
 public:
  explicit Spdy(Bytes& bytes, bool windows = false) : bytes_(bytes), windows_(windows) {
    if (windows_) bytes_.send(spdy::Writer::settings({{{4, 100}}}));
  }

  std::uint32_t open(const SpdyHeaders& headers, bool fin = false) {
    const std::uint32_t id = next_id_;
    next_id_ += 2;
    bytes_.send(writer_.syn_stream(id, headers, fin));
    return id;
  }
  void send(std::uint32_t id, std::string_view bytes, bool fin = false) {
    if (!windows_) return bytes_.send(spdy::Writer::data(id, bytes, fin));
    do {
      while (!bytes.empty() && (window(id) <= 0 || window_ <= 0))
        if (!pump()) return;
      const auto size =
          std::min({static_cast<std::int64_t>(bytes.size()), window(id), window_, std::int64_t{16384}});
      const auto piece = bytes.substr(0, bytes.empty() ? 0 : static_cast<std::size_t>(size));
      bytes.remove_prefix(piece.size());
      window(id) -= static_cast<std::int64_t>(piece.size());
      window_ -= static_cast<std::int64_t>(piece.size());
      bytes_.send(spdy::Writer::data(id, piece, fin && bytes.empty()));
    } while (!bytes.empty());
  }
  void reset(std::uint32_t id) { bytes_.send(spdy::Writer::rst_stream(id, spdy::Reset::cancel)); }

  // Reads once; false at the end of the connection or when it makes no sense.
  bool pump() {
    const std::string bytes = bytes_.recv();
    if (bytes.empty()) return false;
    parser_.feed(bytes);
    for (spdy::Frame frame;;) {
      const auto more = parser_.next(frame);
      if (!more) return false;
      if (!*more) return true;
      take(frame);
    }
  }
  // Reads until the end of the stream, or of the connection (false).
  bool read_all(std::uint32_t id) {
    while (!ended.count(id) && !resets.count(id))
      if (!pump()) return false;
    return ended.count(id) != 0;
  }
  bool read_until(std::uint32_t id, std::string_view text) {
    while (data[id].find(text) == std::string::npos)
      if (!pump()) return false;
    return true;
  }

  std::map<std::uint32_t, std::string> data;
  std::set<std::uint32_t> replied, ended;
  std::map<std::uint32_t, std::uint32_t> resets;
  std::vector<std::uint32_t> pings;
  bool gone_away = false;
  std::uint32_t goodbye = 0;
  std::size_t window_updates = 0;

 private:
  std::int64_t& window(std::uint32_t id) {
    return windows_of_.try_emplace(id, spdy::kInitialWindow).first->second;
  }

  void take(const spdy::Frame& frame) {
    if (const auto* reply = std::get_if<spdy::SynReply>(&frame)) replied.insert(reply->id);
    if (const auto* reset = std::get_if<spdy::RstStream>(&frame)) resets[reset->id] = reset->status;
    if (const auto* ping = std::get_if<spdy::Ping>(&frame)) pings.push_back(ping->id);
    if (const auto* away = std::get_if<spdy::GoAway>(&frame)) {
      gone_away = true;
      goodbye = away->status;
    }
    if (const auto* update = std::get_if<spdy::WindowUpdate>(&frame)) {
      ++window_updates;
      (update->id == 0 ? window_ : window(update->id)) += update->delta;
    }
    if (const auto* piece = std::get_if<spdy::Data>(&frame)) {
      data[piece->id] += piece->bytes;
      if (piece->fin) ended.insert(piece->id);
      if (windows_ && !piece->bytes.empty()) {
        const auto size = static_cast<std::uint32_t>(piece->bytes.size());
        bytes_.send(spdy::Writer::window_update(0, size));
        bytes_.send(spdy::Writer::window_update(piece->id, size));
      }
    }
  }

  Bytes& bytes_;
  const bool windows_;
  spdy::Parser parser_;
  spdy::Writer writer_;
  std::uint32_t next_id_ = 1;
  std::int64_t window_ = spdy::kInitialWindow;
  std::map<std::uint32_t, std::int64_t> windows_of_;
};

}  // namespace fermata::streaming::testing
