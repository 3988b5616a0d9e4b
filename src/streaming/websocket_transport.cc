#include "streaming/websocket_transport.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace fermata::streaming {
namespace {

namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

class WebSocketTransport final : public Transport {
 public:
  WebSocketTransport(Link link, Limits limits)
      : Transport(link.get_executor(), limits), stream_(std::move(link)) {}

  void accept(UpgradeRequest request, std::string protocol, bool text,
              std::function<void(std::shared_ptr<Transport>)> ready) {
    request_ = std::move(request);
    // The idle timeout is Transport's; these are of the two handshakes.
    stream_.set_option(
        websocket::stream_base::timeout{std::chrono::seconds(10), websocket::stream_base::none(), false});
    stream_.set_option(websocket::stream_base::decorator([protocol](websocket::response_type& response) {
      if (!protocol.empty()) response.set(http::field::sec_websocket_protocol, protocol);
    }));
    // Messages are read in pieces, so their size does not matter.
    stream_.read_message_max(0);
    stream_.auto_fragment(false);
    stream_.text(text);
    stream_.async_accept(request_, [this, self = shared_from_this(), ready](const Error& error) {
      if (error) return cut();
      ready(self);
    });
  }

 private:
  void begin_read() override {
    stream_.async_read_some(boost::asio::buffer(buffer_),
                            [this, self = shared_from_this()](const Error& error, std::size_t size) {
                              did_read(error, {buffer_.data(), size}, !error && stream_.is_message_done());
                            });
  }

  void begin_write(const std::deque<std::string>& queue, std::size_t /*count*/) override {
    stream_.async_write(
        boost::asio::buffer(queue.front()),
        [this, self = shared_from_this()](const Error& error, std::size_t) { did_write(error); });
  }

  void begin_close() override {
    stream_.async_close(websocket::close_code::normal,
                        [this, self = shared_from_this()](const Error&) { did_close(); });
  }

  void cut() override { stream_.next_layer().cut(); }
  int socket() const override { return const_cast<Link&>(stream_.next_layer()).tcp().native_handle(); }
  std::size_t batch() const override { return 1; }

  UpgradeRequest request_;
  websocket::stream<Link> stream_;
  std::array<char, 32 * 1024> buffer_;
};

}  // namespace

void accept_websocket(Link link, UpgradeRequest request, std::string protocol, bool text,
                      Transport::Limits limits, std::function<void(std::shared_ptr<Transport>)> ready) {
  const auto transport = std::make_shared<WebSocketTransport>(std::move(link), limits);
  transport->accept(std::move(request), std::move(protocol), text, std::move(ready));
}

}  // namespace fermata::streaming
