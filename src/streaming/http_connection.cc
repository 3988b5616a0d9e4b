#include "streaming/http_connection.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "streaming/channel_client.h"
#include "streaming/port_forward.h"
#include "streaming/process_streams.h"
#include "streaming/protocols.h"
#include "streaming/socket_transport.h"
#include "streaming/spdy_client.h"
#include "streaming/websocket_transport.h"

namespace fermata::streaming {
namespace {

namespace http = boost::beast::http;
using SystemError = boost::system::error_code;

constexpr std::chrono::seconds kRequestTimeout{10};
constexpr std::uint32_t kMaxHeader = 64 * 1024;

// Of a client that only gets an answer.
class NoReceiver final : public Transport::Receiver {
  void received(std::string_view /*bytes*/, bool /*message_end*/) override {}
  void drained() override {}
  void ended() override {}
};

// Whether the list in this header names `token`, in any case.
bool names(const UpgradeRequest& request, http::field field, std::string_view token) {
  for (auto [at, end] = request.equal_range(field); at != end; ++at)
    for (const std::string& one : parse_list({at->value().data(), at->value().size()}))
      if (to_lower(one) == token) return true;
  return false;
}

template <class Field>
std::vector<std::string> list_of(const UpgradeRequest& request, Field field) {
  std::vector<std::string> all;
  for (auto [at, end] = request.equal_range(field); at != end; ++at)
    for (std::string& one : parse_list({at->value().data(), at->value().size()}))
      all.push_back(std::move(one));
  return all;
}

// The channels of exec and attach: stdin, stdout, stderr, error, resize.
std::vector<ChannelClient::Channel> process_channels(const Streams& streams) {
  constexpr std::string_view kNames[] = {"stdin", "stdout", "stderr", "error", "resize"};
  const bool there[] = {streams.input, streams.output, streams.error_output, true, true};
  std::vector<ChannelClient::Channel> channels(std::size(kNames));
  for (std::size_t i = 0; i < channels.size(); ++i)
    if (there[i]) channels[i].headers = StreamHeaders{{"streamtype", std::string(kNames[i])}};
  // An empty message on the first channel that is ours tells clients that the connection stands.
  channels[streams.output ? 1 : streams.error_output ? 2 : 3].greeting = "";
  return channels;
}

// Two for each port, data and error; each begins with the number of the port, low byte first.
std::vector<ChannelClient::Channel> port_channels(const std::vector<std::uint16_t>& ports) {
  std::vector<ChannelClient::Channel> channels;
  for (const std::uint16_t port : ports) {
    const std::string greeting = {static_cast<char>(port & 0xff), static_cast<char>(port >> 8)};
    for (const char* type : {"data", "error"})
      channels.push_back({.headers = StreamHeaders{{"streamtype", type},
                                                   {"port", fmt::format("{}", port)},
                                                   {"requestid", fmt::format("{}", channels.size() / 2)}},
                          .greeting = greeting});
  }
  return channels;
}

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Link link, const ConnectionEnvironment& environment)
      : link_(std::move(link)), environment_(environment), timer_(link_.get_executor()) {
    parser_.header_limit(kMaxHeader);
  }

  void start() {
    timer_.expires_after(kRequestTimeout);
    timer_.async_wait([self = shared_from_this()](const SystemError& error) {
      // It may have run out in the same moment in which the request was complete.
      if (!error && !self->read_) self->link_.cut();
    });
    link_.async_handshake([self = shared_from_this()](const SystemError& error) {
      if (error) return self->timer_.cancel(), void();
      self->read_request();
    });
  }

 private:
  void read_request() {
    http::async_read_header(link_, buffer_, parser_,
                            [self = shared_from_this()](const SystemError& error, std::size_t) {
                              self->read_ = true;
                              self->timer_.cancel();
                              if (error == http::error::end_of_stream || error.category() != http_category())
                                return self->error_or_route(error);
                              self->answer("400 Bad Request", "not an HTTP request: " + error.message());
                            });
  }

  static const boost::system::error_category& http_category() {
    return http::make_error_code(http::error::bad_version).category();
  }

  // An error here is one of the connection, which nobody can be told.
  void error_or_route(const SystemError& error) {
    if (!error) route();
  }

  void route() {
    request_ = parser_.release();
    if (request_.method() != http::verb::get && request_.method() != http::verb::post)
      return answer("405 Method Not Allowed", "ask with GET or POST", {"Allow: GET, POST"});
    const auto taken = take_request();
    if (!taken) return answer("404 Not Found", "no such streaming request; it may have expired or been used");
    // A body, if there were one, would be taken for the first bytes of the stream.
    if (request_.has_content_length() && request_[http::field::content_length] != "0")
      return answer("400 Bad Request", "a streaming request has no body");
    if (!names(request_, http::field::connection, "upgrade"))
      return answer("400 Bad Request", "not an upgrade: the header 'Connection: Upgrade' is missing");
    if (names(request_, http::field::upgrade, "websocket")) return upgrade_websocket(*taken);
    if (names(request_, http::field::upgrade, "spdy/3.1")) return upgrade_spdy(*taken);
    answer("400 Bad Request", "upgrade to 'SPDY/3.1' or 'websocket', nothing else is spoken here");
  }

  // "/exec/<token>"
  std::optional<Request> take_request() {
    std::string_view target(request_.target().data(), request_.target().size());
    target = target.substr(0, target.find('?'));
    if (target.empty() || target.front() != '/') return std::nullopt;
    const auto parts = split_once(target.substr(1), '/');
    if (!parts) return std::nullopt;
    return environment_.tokens->take(parts->first, std::string(parts->second));
  }

  void upgrade_spdy(const Request& request) {
    constexpr const char* kHeader = "X-Stream-Protocol-Version";
    const auto offered = list_of(request_, kHeader);
    if (offered.empty()) return answer("400 Bad Request", fmt::format("the header '{}' is missing", kHeader));
    const Protocol* protocol = choose_protocol(subject(request), Carrier::spdy, offered);
    if (protocol == nullptr)
      return refuse_protocols(request, Carrier::spdy, "X-Accepted-Stream-Protocol-Versions");
    auto session = make_session(request, *protocol, false);
    const auto transport = take_socket(request);
    transport->send(
        fmt::format("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                    "Upgrade: SPDY/3.1\r\n{}: {}\r\n\r\n",
                    kHeader, protocol->name));
    start(transport, std::make_shared<SpdyClient>(transport, std::move(session)));
  }

  void upgrade_websocket(const Request& request) {
    const auto offered = list_of(request_, http::field::sec_websocket_protocol);
    const Protocol* protocol = choose_protocol(subject(request), Carrier::websocket, offered);
    if (protocol == nullptr) return refuse_protocols(request, Carrier::websocket, "Sec-WebSocket-Protocol");
    if (request_.method() != http::verb::get || request_[http::field::sec_websocket_version] != "13" ||
        request_[http::field::sec_websocket_key].empty() || buffer_.size() != 0)
      return answer("400 Bad Request", "not a WebSocket handshake of RFC 6455",
                    {"Sec-WebSocket-Version: 13"});
    const auto* forward = std::get_if<PortForwardRequest>(&request);
    if (forward != nullptr && !protocol->tunnel && (forward->ports.empty() || forward->ports.size() > 100))
      return answer("400 Bad Request",
                    "without a tunnel, 1 to 100 ports must be named when port-forward is asked for");
    const Limits limits = limits_of(request);
    accept_websocket(std::move(link_), std::move(request_), std::string(protocol->name), protocol->base64,
                     limits,
                     [self = shared_from_this(), request, protocol](std::shared_ptr<Transport> transport) {
                       self->start_websocket(request, *protocol, transport);
                     });
  }

  void start_websocket(const Request& request, const Protocol& protocol,
                       const std::shared_ptr<Transport>& transport) {
    std::shared_ptr<Transport::Receiver> client;
    if (protocol.tunnel) {
      client = std::make_shared<SpdyClient>(transport, make_session(request, protocol, false));
    } else {
      const auto* forward = std::get_if<PortForwardRequest>(&request);
      const auto channels =
          forward != nullptr ? port_channels(forward->ports) : process_channels(process_streams(request));
      client =
          std::make_shared<ChannelClient>(transport, make_session(request, protocol, true),
                                          protocol.base64 ? ChannelEncoding::base64 : ChannelEncoding::binary,
                                          protocol.version >= 5, channels);
    }
    start(transport, std::move(client));
  }

  void start(const std::shared_ptr<Transport>& transport, std::shared_ptr<Transport::Receiver> client) {
    environment_.transports->add(transport);
    transport->start(std::move(client));
  }

  using Limits = Transport::Limits;
  Limits limits_of(const Request& request) const {
    // A client of port-forward may hang up behind its last byte, and the pod still gets that byte.
    return {.idle = environment_.idle_timeout, .hangup_ends = subject(request) == Subject::process};
  }

  static Subject subject(const Request& request) {
    return std::holds_alternative<PortForwardRequest>(request) ? Subject::port : Subject::process;
  }

  static const Streams& process_streams(const Request& request) {
    if (const auto* exec = std::get_if<ExecRequest>(&request)) return exec->streams;
    return std::get<AttachRequest>(request).streams;
  }

  std::shared_ptr<Session> make_session(const Request& request, const Protocol& protocol,
                                        bool channels) const {
    SessionContext context = {strand_, environment_.workers, environment_.backend,
                              environment_.stream_creation_timeout};
    if (const auto* forward = std::get_if<PortForwardRequest>(&request))
      return make_port_forward(std::move(context), forward->sandbox, channels);
    if (const auto* exec = std::get_if<ExecRequest>(&request))
      return make_process_streams(std::move(context), *exec, protocol.version);
    return make_process_streams(std::move(context), std::get<AttachRequest>(request), protocol.version);
  }

  std::shared_ptr<Transport> take_socket(const Request& request) {
    return make_socket_transport(std::move(link_), boost::beast::buffers_to_string(buffer_.data()),
                                 limits_of(request));
  }

  void refuse_protocols(const Request& request, Carrier carrier, const char* header_name) {
    std::vector<std::string> headers;
    std::string known;
    for (const std::string_view name : protocol_names(subject(request), carrier)) {
      if (carrier == Carrier::spdy) headers.push_back(fmt::format("{}: {}", header_name, name));
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    }
    answer("403 Forbidden", fmt::format("none of the protocols asked for is spoken here, but {}", known),
           headers);
  }

  void answer(std::string_view status, std::string_view message,
              const std::vector<std::string>& headers = {}) {
    std::string response = fmt::format(
        "HTTP/1.1 {}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\n",
        status, message.size() + 1);
    for (const std::string& header : headers) response += header + "\r\n";
    response += fmt::format("\r\n{}\n", message);
    const auto transport = make_socket_transport(std::move(link_), {}, {.idle = kRequestTimeout});
    start(transport, std::make_shared<NoReceiver>());
    transport->send(std::move(response));
    transport->close();
  }

  Link link_;
  const ConnectionEnvironment& environment_;
  const boost::asio::any_io_executor strand_ = link_.get_executor();
  boost::asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_{kMaxHeader};
  http::request_parser<http::empty_body> parser_;
  UpgradeRequest request_;
  bool read_ = false;
};

}  // namespace

void serve_connection(Link link, const ConnectionEnvironment& environment) {
  std::make_shared<HttpConnection>(std::move(link), environment)->start();
}

}  // namespace fermata::streaming
