#include "cri/process_client.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/text.h"
#include "streaming/test_client.h"

namespace fermata::cri_test {
namespace {

namespace client = streaming::testing;

const char* protocol_of(Wire wire) {
  return wire == Wire::spdy_v4 || wire == Wire::websocket_v4 ? "v4.channel.k8s.io" : "v5.channel.k8s.io";
}

client::Answer upgrade(client::Tcp& tcp, Wire wire, const std::string& url) {
  return is_websocket(wire) ? client::ask_websocket(tcp, url, protocol_of(wire))
                            : client::ask_spdy(tcp, url, protocol_of(wire));
}

std::string size_document(int rows, int columns) {
  return fmt::format(R"({{"Width":{},"Height":{}}})", columns, rows) + "\n";
}

class SpdyProcess final : public ProcessClient {
 public:
  SpdyProcess(client::Tcp tcp, const Streams& streams) : tcp_(std::move(tcp)), spdy_(tcp_) {
    error_ = open("error", true);
    in_ = open("stdin", streams.input);
    out_ = open("stdout", streams.output);
    err_ = open("stderr", streams.error_output);
    resize_ = open("resize", streams.terminal);
  }
  void write(std::string_view bytes) override { spdy_.send(in_, bytes); }
  void end_input() override { spdy_.send(in_, "", true); }
  void resize(int rows, int columns) override { spdy_.send(resize_, size_document(rows, columns)); }
  void hang_up() override { tcp_.close(); }
  const std::string& out() override { return spdy_.data[out_]; }
  const std::string& err() override { return spdy_.data[err_]; }
  const std::string& status() override { return spdy_.data[error_]; }

 private:
  std::uint32_t open(const char* type, bool wanted) {
    return wanted ? spdy_.open({{"streamtype", type}}) : 0;
  }
  bool pump() override { return spdy_.pump(); }

  client::Tcp tcp_;
  client::Spdy spdy_;
  std::uint32_t error_ = 0, in_ = 0, out_ = 0, err_ = 0, resize_ = 0;
};

// Each message begins with the number of its channel.
class WebSocketProcess final : public ProcessClient {
 public:
  explicit WebSocketProcess(client::Tcp tcp) : tcp_(std::move(tcp)), socket_(tcp_) {}
  void write(std::string_view bytes) override { send(kIn, bytes); }
  void end_input() override { send(kClose, std::string(1, kIn)); }
  void resize(int rows, int columns) override { send(kResize, size_document(rows, columns)); }
  void hang_up() override { tcp_.close(); }
  const std::string& out() override { return channels_[kOut]; }
  const std::string& err() override { return channels_[kErr]; }
  const std::string& status() override { return channels_[kError]; }

 private:
  static constexpr char kIn = 0, kOut = 1, kErr = 2, kError = 3, kResize = 4, kClose = '\xff';
  static constexpr int kBinary = 2, kCloseFrame = 8;

  void send(char channel, std::string_view bytes) { socket_.send(channel + std::string(bytes)); }
  bool pump() override {
    const client::WebSocket::Message message = socket_.next();
    if (message.opcode == kCloseFrame) {
      socket_.send_frame(kCloseFrame, message.bytes, true);
      return false;
    }
    if (message.opcode == kBinary && !message.bytes.empty())
      channels_.at(static_cast<unsigned char>(message.bytes[0])) += message.bytes.substr(1);
    return message.opcode != 0;
  }

  client::Tcp tcp_;
  client::WebSocket socket_;
  std::array<std::string, 5> channels_;
};

}  // namespace

std::string name_of(Wire wire) {
  switch (wire) {
    case Wire::spdy_v4:
      return "SpdyV4";
    case Wire::spdy_v5:
      return "SpdyV5";
    case Wire::websocket_v4:
      return "WebSocketV4";
    case Wire::websocket_v5:
      return "WebSocketV5";
  }
  return "";
}

std::ostream& operator<<(std::ostream& stream, Wire wire) { return stream << name_of(wire); }

bool is_websocket(Wire wire) { return wire == Wire::websocket_v4 || wire == Wire::websocket_v5; }
bool can_end_input(Wire wire) { return wire != Wire::websocket_v4; }

std::unique_ptr<ProcessClient> ProcessClient::connect(Wire wire, const std::string& url,
                                                      const Streams& streams) {
  client::Tcp tcp(client::port_of(url));
  const client::Answer answer = upgrade(tcp, wire, url);
  if (answer.status != 101)
    throw std::runtime_error(fmt::format("{} refused: {} {}", url, answer.status, answer.body));
  if (is_websocket(wire)) return std::make_unique<WebSocketProcess>(std::move(tcp));
  return std::make_unique<SpdyProcess>(std::move(tcp), streams);
}

bool ProcessClient::read_until(std::string_view text) {
  while (out().find(text) == std::string::npos)
    if (!pump()) return false;
  return true;
}

void ProcessClient::read_to_end() {
  while (pump()) continue;
}

int ProcessClient::finish() {
  read_to_end();
  const auto document = nlohmann::json::parse(status(), nullptr, false);
  if (document.is_discarded()) return -1;
  if (document.value("status", "") == "Success") return 0;
  if (document.value("reason", "") != "NonZeroExitCode") return -1;
  for (const auto& cause : document["details"]["causes"])
    if (cause.value("reason", "") == "ExitCode")
      return static_cast<int>(parse_unsigned(cause.value("message", "")).value_or(999));
  return -1;
}

int http_status(Wire wire, const std::string& url) {
  client::Tcp tcp(client::port_of(url));
  return upgrade(tcp, wire, url).status;
}

std::string moved_to(const std::string& url, const std::string& other) {
  return other.substr(0, other.find('/', 8)) + client::path_of(url);
}

}  // namespace fermata::cri_test
