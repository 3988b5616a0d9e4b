// A TCP connection, plain or with TLS, as the one kind of stream that everything above is written for.
#pragma once

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <memory>
#include <utility>

namespace fermata::streaming {

// Models Beast's AsyncStream concept. Movable.
class Link {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using executor_type = Socket::executor_type;

  explicit Link(Socket socket) : plain_(std::make_unique<Socket>(std::move(socket))) {}
  Link(Socket socket, boost::asio::ssl::context& context)
      : secure_(std::make_unique<Secure>(std::move(socket), context)) {}

  executor_type get_executor() { return tcp().get_executor(); }
  Socket& tcp() { return secure_ ? secure_->next_layer() : *plain_; }
  const Socket& tcp() const { return secure_ ? secure_->next_layer() : *plain_; }

  // The TLS handshake, or nothing. handler(error)
  template <class Handler>
  void async_handshake(Handler&& handler) {
    if (secure_)
      secure_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Handler>(handler));
    else
      succeed(std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    if (secure_) return secure_->async_read_some(buffers, std::forward<Handler>(handler));
    return plain_->async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    if (secure_) return secure_->async_write_some(buffers, std::forward<Handler>(handler));
    return plain_->async_write_some(buffers, std::forward<Handler>(handler));
  }
  // Tells the peer that nothing more comes. handler(error)
  template <class Handler>
  void async_finish(Handler&& handler) {
    if (secure_) {
      secure_->async_shutdown(std::forward<Handler>(handler));
    } else {
      boost::system::error_code ignored;  // the peer may be gone already
      plain_->shutdown(Socket::shutdown_send, ignored);
      succeed(std::forward<Handler>(handler));
    }
  }
  void cut() {
    boost::system::error_code ignored;
    tcp().close(ignored);
  }

 private:
  using Secure = boost::asio::ssl::stream<Socket>;

  template <class Handler>
  void succeed(Handler&& handler) {
    boost::asio::post(tcp().get_executor(), [handler = std::forward<Handler>(handler)]() mutable {
      handler(boost::system::error_code());
    });
  }

  std::unique_ptr<Socket> plain_;  // one of the two
  std::unique_ptr<Secure> secure_;
};

// What Beast's WebSocket asks of a stream of one's own: how its connection ends when the closing handshake is
// done, after which neither side has anything to say, and how it is cut off.
template <class Handler>
void async_teardown(boost::beast::role_type /*role*/, Link& link, Handler&& handler) {
  link.async_finish(std::forward<Handler>(handler));
}
inline void beast_close_socket(Link& link) { link.cut(); }

}  // namespace fermata::streaming
