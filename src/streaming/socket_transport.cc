#include "streaming/socket_transport.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <vector>

namespace fermata::streaming {
namespace {

class SocketTransport final : public Transport {
 public:
  SocketTransport(Link link, std::string early, Limits limits)
      : Transport(link.get_executor(), limits), link_(std::move(link)), early_(std::move(early)) {}

 private:
  void begin_read() override {
    if (!early_.empty()) {
      boost::asio::post(link_.get_executor(), [this, self = shared_from_this()] {
        did_read({}, std::exchange(early_, {}), false);
      });
      return;
    }
    link_.async_read_some(boost::asio::buffer(buffer_),
                          [this, self = shared_from_this()](const Error& error, std::size_t size) {
                            did_read(error, {buffer_.data(), size}, false);
                          });
  }

  void begin_write(const std::deque<std::string>& queue, std::size_t count) override {
    std::vector<boost::asio::const_buffer> buffers;
    buffers.reserve(count);
    for (std::size_t i = 0; i < count; ++i) buffers.push_back(boost::asio::buffer(queue[i]));
    boost::asio::async_write(
        link_, std::move(buffers),
        [this, self = shared_from_this()](const Error& error, std::size_t) { did_write(error); });
  }

  void begin_close() override {
    // The end comes with the peer's, which the reading sees, or when its time is over.
    link_.async_finish([self = shared_from_this()](const Error&) {});
  }

  void cut() override { link_.cut(); }
  int socket() const override { return const_cast<Link&>(link_).tcp().native_handle(); }
  std::size_t batch() const override { return 16; }

  Link link_;
  std::string early_;
  std::array<char, 32 * 1024> buffer_;
};

}  // namespace

std::shared_ptr<Transport> make_socket_transport(Link link, std::string early, Transport::Limits limits) {
  return std::make_shared<SocketTransport>(std::move(link), std::move(early), limits);
}

}  // namespace fermata::streaming
