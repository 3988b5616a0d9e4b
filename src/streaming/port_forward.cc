#include "streaming/port_forward.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "streaming/port_pump.h"

namespace fermata::streaming {
namespace {

class PortForward final : public Session, public std::enable_shared_from_this<PortForward> {
 public:
  PortForward(SessionContext context, std::string sandbox, bool close_when_done)
      : context_(std::move(context)), sandbox_(std::move(sandbox)), close_when_done_(close_when_done) {}

  void connected(Client& client) override { client_ = &client; }

  bool opened(StreamId stream, const StreamHeaders& headers) override {
    const auto type = header(headers, "streamtype");
    const auto port = parse_unsigned(header(headers, "port"));
    if ((type != "data" && type != "error") || !port || *port == 0 || *port > UINT16_MAX) return false;
    const bool is_data = type == "data";
    const std::string key = request_id(stream, is_data, headers);
    Pair& pair = pairs_[key];
    std::optional<StreamId>& place = is_data ? pair.data : pair.error;
    const bool fits = !place && (pair.port == 0 || pair.port == *port);
    if (!fits) return false;
    place = stream;
    pair.port = static_cast<std::uint16_t>(*port);
    keys_[stream] = key;
    if (pair.data && pair.error)
      start(key, pair);
    else
      expect_other(key, pair);
    return true;
  }

  void received(StreamId stream, std::string_view bytes) override {
    Pair* pair = pair_of(stream);
    if (pair == nullptr || pair->data != stream) return client_->consumed(stream, bytes.size());
    if (pair->pump)
      pair->pump->received(bytes);
    else
      pair->early += bytes;
  }

  void finished(StreamId stream) override {
    Pair* pair = pair_of(stream);
    if (pair == nullptr || pair->data != stream) return;
    pair->early_end = true;
    if (pair->pump) hold(pair->pump)->finished();
  }

  void was_reset(StreamId stream) override {
    Pair* pair = pair_of(stream);
    if (pair == nullptr) return;
    // Without its error stream a connection can go on.
    if (pair->data != stream && pair->pump) return;
    if (pair->pump) return hold(pair->pump)->was_reset();
    const auto other = pair->data == stream ? pair->error : pair->data;
    remove(keys_.at(stream));
    if (other) client_->reset(*other);
  }

  void writable() override {
    // Pumps that end are removed meanwhile. Each time another is the first, so that none goes hungry.
    std::vector<std::shared_ptr<PortPump>> pumps;
    for (const auto& [key, pair] : pairs_)
      if (pair.pump) pumps.push_back(pair.pump);
    for (std::size_t i = 0; i < pumps.size(); ++i) pumps[(first_ + i) % pumps.size()]->writable();
    ++first_;
  }

  void disconnected() override {
    client_ = nullptr;
    for (const auto& [key, pair] : pairs_)
      if (pair.pump) pair.pump->detach();
    pairs_.clear();
    keys_.clear();
  }

 private:
  struct Pair {
    std::uint16_t port = 0;
    std::optional<StreamId> data, error;
    std::shared_ptr<PortPump> pump;  // once both are there
    std::string early;               // what came before
    bool early_end = false;
    std::shared_ptr<boost::asio::steady_timer> timer;
  };

  // Clients of old send none, and open the error stream right before the data stream.
  static std::string request_id(StreamId stream, bool is_data, const StreamHeaders& headers) {
    const auto id = header(headers, "requestid");
    if (!id.empty()) return fmt::format("id {}", id);
    return fmt::format("stream {}", is_data ? stream - 2 : stream);
  }

  // Keeps a pump alive that removes itself while it is called.
  static std::shared_ptr<PortPump> hold(const std::shared_ptr<PortPump>& pump) { return pump; }

  Pair* pair_of(StreamId stream) {
    const auto key = keys_.find(stream);
    return key == keys_.end() ? nullptr : &pairs_.at(key->second);
  }

  void expect_other(const std::string& key, Pair& pair) {
    pair.timer =
        std::make_shared<boost::asio::steady_timer>(context_.strand, context_.stream_creation_timeout);
    pair.timer->async_wait([weak = weak_from_this(), key](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!error && self && self->client_ != nullptr) self->give_up(key);
    });
  }

  void give_up(const std::string& key) {
    const auto found = pairs_.find(key);
    if (found == pairs_.end() || found->second.pump) return;
    const auto [data, error] = std::pair(found->second.data, found->second.error);
    remove(key);
    if (data) client_->reset(*data);
    if (!error) return;
    client_->write(*error, "the client did not open the data stream in time");
    client_->finish(*error);
  }

  void start(const std::string& key, Pair& pair) {
    pair.timer.reset();
    pair.pump = std::make_shared<PortPump>(context_.strand, *client_, *pair.data, *pair.error,
                                           [weak = weak_from_this(), key] {
                                             if (const auto self = weak.lock()) self->pump_ended(key);
                                           });
    const auto pump = pair.pump;
    if (!pair.early.empty()) pump->received(std::exchange(pair.early, {}));
    if (pair.early_end) pump->finished();
    call_backend(
        context_,
        [backend = context_.backend, sandbox = sandbox_, port = pair.port] {
          return backend->open_port(sandbox, port);
        },
        [pump, port = pair.port](Result<UniqueFd> socket) {
          if (!socket) socket = fail_with(std::move(socket.error()), fmt::format("forward port {}", port));
          pump->start(std::move(socket));
        });
  }

  void pump_ended(const std::string& key) {
    remove(key);
    if (close_when_done_ && pairs_.empty() && client_ != nullptr) client_->close();
  }

  void remove(std::string key) {
    const auto found = pairs_.find(key);
    if (found == pairs_.end()) return;
    for (const auto& stream : {found->second.data, found->second.error})
      if (stream) keys_.erase(*stream);
    pairs_.erase(found);
  }

  const SessionContext context_;
  const std::string sandbox_;
  const bool close_when_done_;
  Client* client_ = nullptr;
  std::map<std::string, Pair> pairs_;
  std::map<StreamId, std::string> keys_;
  std::size_t first_ = 0;
};

}  // namespace

std::shared_ptr<Session> make_port_forward(SessionContext context, std::string sandbox,
                                           bool close_when_done) {
  return std::make_shared<PortForward>(std::move(context), std::move(sandbox), close_when_done);
}

}  // namespace fermata::streaming
