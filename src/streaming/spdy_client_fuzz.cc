// A whole client of port-forward or of exec that sends what it likes, to sessions that answer everything.
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <set>

#include "streaming/spdy_client.h"

namespace {

using namespace fermata::streaming;

class Sink final : public Transport {
 public:
  explicit Sink(boost::asio::io_context& context)
      : Transport(context.get_executor(), {.idle = std::chrono::hours(1)}) {}
  void give(std::string_view bytes) { did_read({}, bytes, false); }
  void take() {
    if (std::exchange(writing_, false)) did_write({});
  }

 private:
  void begin_read() override {}
  void begin_write(const std::deque<std::string>&, std::size_t) override { writing_ = true; }
  void begin_close() override {}
  void cut() override {}
  int socket() const override { return -1; }
  std::size_t batch() const override { return 16; }
  bool writing_ = false;
};

// Sends back what it gets, and sometimes ends a stream.
class Echo final : public Session {
 public:
  void connected(Client& client) override { client_ = &client; }
  bool opened(StreamId stream, const StreamHeaders&) override { return stream % 5 != 0; }
  void received(StreamId stream, std::string_view bytes) override {
    if (client_->has_room(stream)) client_->write(stream, bytes);
    client_->consumed(stream, bytes.size());
    if (bytes.front() == 'f') client_->finish(stream);
    if (bytes.front() == 'r') client_->reset(stream);
    if (bytes.front() == 'c') client_->close();
  }
  void finished(StreamId stream) override { client_->finish(stream); }
  void was_reset(StreamId) override {}
  void writable() override {}
  void disconnected() override { client_ = nullptr; }

 private:
  Client* client_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  boost::asio::io_context context;
  const auto transport = std::make_shared<Sink>(context);
  transport->start(std::make_shared<SpdyClient>(transport, std::make_shared<Echo>()));
  const std::size_t step = data[0] + std::size_t{1};
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    transport->give(piece);
    if (piece.front() % 2 == 0) transport->take();
  }
  transport->abort();
  return 0;
}
